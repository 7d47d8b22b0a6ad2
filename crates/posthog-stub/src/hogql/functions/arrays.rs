//! Functions on arrays and tuples.

use super::{Args, Definition, flag, wrong_type};
use crate::hogql::Env;
use crate::hogql::error::QueryError;
use crate::hogql::types::{Kind, Type};
use crate::hogql::value::Value;

type Answer = Result<Value, QueryError>;

pub(super) const ALL: &[Definition] = &[
    Definition::new("empty", (1, 1), flag, |_, args| {
        Ok(Value::flag(is_empty(args)?))
    }),
    Definition::new("notEmpty", (1, 1), flag, |_, args| {
        Ok(Value::flag(!is_empty(args)?))
    }),
    Definition::new("has", (2, 2), flag, has).taking_null(),
    Definition::new("arrayElement", (2, 2), element_type, element),
    Definition::new("tupleElement", (2, 2), element_type, element),
    Definition::new(
        "splitByChar",
        (2, 2),
        |_| Type::of(Kind::Array(Box::new(Type::of(Kind::String)))),
        split,
    ),
];

fn is_empty(args: &[Value]) -> Result<bool, QueryError> {
    match args.first().unwrap_or(&Value::Null) {
        Value::Array(items) => Ok(items.is_empty()),
        Value::Str(text) => Ok(text.is_empty()),
        other => Err(wrong_type("empty", other)),
    }
}

fn has(_: &Env<'_>, args: &[Value]) -> Answer {
    match (args.first(), args.get(1)) {
        (Some(Value::Array(items)), Some(item)) => Ok(Value::flag(items.contains(item))),
        (Some(Value::Null), _) => Ok(Value::Null),
        _ => Err(wrong_type("has", args.first().unwrap_or(&Value::Null))),
    }
}

fn element_type(args: &Args<'_>) -> Type {
    let place = args
        .consts
        .get(1)
        .copied()
        .flatten()
        .and_then(Value::as_int);
    match args.kind(0).kind {
        Kind::Array(item) => *item,
        Kind::Tuple(items) => {
            let place = place.and_then(|place| usize::try_from(place).ok()?.checked_sub(1));
            place
                .and_then(|place| items.get(place).cloned())
                .unwrap_or(Type::nullable(Kind::Nothing))
        }
        _ => Type::nullable(Kind::String),
    }
}

fn element(_: &Env<'_>, args: &[Value]) -> Answer {
    let place = args.get(1).and_then(Value::as_int).unwrap_or(0);
    let at = |items: &[Value]| {
        let length = items.len() as i128;
        let index = if place < 0 { length + place } else { place - 1 };
        usize::try_from(index)
            .ok()
            .and_then(|index| items.get(index).cloned())
    };
    match args.first().unwrap_or(&Value::Null) {
        Value::Array(items) => Ok(at(items).unwrap_or_else(|| {
            items
                .first()
                .map_or(Value::Null, |item| Type::of_value(item).default_value())
        })),
        Value::Tuple(items) => at(items).ok_or_else(|| {
            QueryError::clickhouse("not_found_column_in_block", "Tuple has no such element")
        }),
        other => Err(wrong_type("arrayElement", other)),
    }
}

fn split(_: &Env<'_>, args: &[Value]) -> Answer {
    let (Some(separator), Some(text)) = (
        args.first().and_then(Value::as_str),
        args.get(1).and_then(Value::as_str),
    ) else {
        return Err(wrong_type(
            "splitByChar",
            args.first().unwrap_or(&Value::Null),
        ));
    };
    Ok(Value::Array(
        text.split(separator).map(Value::str).collect(),
    ))
}
