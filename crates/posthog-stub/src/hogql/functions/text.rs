//! Functions on strings.

use std::cell::RefCell;

use regex::Regex;

use super::{Definition, first, flag, int, string, unsigned, wrong_type};
use crate::hogql::Env;
use crate::hogql::error::QueryError;
use crate::hogql::value::Value;

type Answer = Result<Value, QueryError>;

pub(super) const ALL: &[Definition] = &[
    Definition::new("length", (1, 1), unsigned, length),
    Definition::new("lower", (1, 1), string, lower),
    Definition::new("upper", (1, 1), string, upper),
    Definition::new("trim", (1, 1), string, trim),
    Definition::new("concat", (1, usize::MAX), string, concat),
    Definition::new("startsWith", (2, 2), flag, starts_with),
    Definition::new("endsWith", (2, 2), flag, ends_with),
    Definition::new("match", (2, 2), flag, matches),
    Definition::new("extract", (2, 2), string, extract),
    Definition::new("substring", (2, 3), string, substring),
    Definition::new("position", (2, 2), int, position),
    Definition::new("replaceAll", (3, 3), string, replace_all),
    Definition::new("replace", (3, 3), string, replace_all),
    Definition::new("cutQueryString", (1, 1), string, cut_query_string),
    Definition::new("cityHash64", (1, 1), unsigned, city_hash),
    // Tells ClickHouse's index what to look at and is itself always true.
    Definition::new("indexHint", (1, 1), flag, |_, _| Ok(Value::flag(true))).taking_null(),
    Definition::new("identity", (1, 1), first, |_, args| {
        Ok(args.first().cloned().unwrap_or(Value::Null))
    }),
];

/// The text at a place; a number, date or uuid is no text.
fn text<'a>(name: &str, args: &'a [Value], at: usize) -> Result<&'a str, QueryError> {
    let value = args.get(at).unwrap_or(&Value::Null);
    value.as_str().ok_or_else(|| wrong_type(name, value))
}

fn length(_: &Env<'_>, args: &[Value]) -> Answer {
    match args.first() {
        Some(Value::Array(items)) => Ok(Value::UInt(items.len() as u64)),
        _ => Ok(Value::UInt(text("length", args, 0)?.len() as u64)),
    }
}

// ClickHouse's lower and upper know ASCII only.
fn lower(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(Value::str(&text("lower", args, 0)?.to_ascii_lowercase()))
}

fn upper(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(Value::str(&text("upper", args, 0)?.to_ascii_uppercase()))
}

fn trim(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(Value::str(text("trim", args, 0)?.trim_matches(' ')))
}

fn concat(_: &Env<'_>, args: &[Value]) -> Answer {
    let mut whole = String::new();
    for value in args {
        whole.push_str(&super::convert::as_text(value));
    }
    Ok(Value::str(&whole))
}

fn starts_with(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(Value::flag(text("startsWith", args, 0)?.starts_with(text(
        "startsWith",
        args,
        1,
    )?)))
}

fn ends_with(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(Value::flag(
        text("endsWith", args, 0)?.ends_with(text("endsWith", args, 1)?),
    ))
}

thread_local! {
    /// The last pattern compiled: a query uses the same one on every row.
    static PATTERN: RefCell<Option<(String, Regex)>> = const { RefCell::new(None) };
}

fn with_pattern<R>(pattern: &str, run: impl FnOnce(&Regex) -> R) -> Result<R, QueryError> {
    PATTERN.with(|last| {
        let mut last = last.borrow_mut();
        if last.as_ref().is_none_or(|(known, _)| known != pattern) {
            let compiled = Regex::new(pattern).map_err(|error| {
                QueryError::clickhouse(
                    "cannot_compile_regexp",
                    format!("OptimizedRegularExpression: {error}"),
                )
            })?;
            *last = Some((pattern.to_owned(), compiled));
        }
        last.as_ref()
            .map(|(_, regex)| run(regex))
            .ok_or_else(|| QueryError::invalid("no pattern"))
    })
}

fn matches(_: &Env<'_>, args: &[Value]) -> Answer {
    let subject = text("match", args, 0)?;
    with_pattern(text("match", args, 1)?, |regex| {
        Value::flag(regex.is_match(subject))
    })
}

fn extract(_: &Env<'_>, args: &[Value]) -> Answer {
    let subject = text("extract", args, 0)?;
    with_pattern(text("extract", args, 1)?, |regex| {
        let found = regex.captures(subject);
        let part = found
            .as_ref()
            .and_then(|found| found.get(1).or_else(|| found.get(0)));
        Value::str(part.map_or("", |part| part.as_str()))
    })
}

/// Bytes from a place counted from 1, or from the end when negative.
fn substring(_: &Env<'_>, args: &[Value]) -> Answer {
    let whole = text("substring", args, 0)?.as_bytes();
    let number = |at: usize| {
        args.get(at)
            .and_then(Value::as_int)
            .and_then(|number| i64::try_from(number).ok())
    };
    let length = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    let start = match number(1) {
        Some(0) | None => return Ok(Value::str("")),
        Some(place) if place < 0 => (length + place).max(0),
        Some(place) => place - 1,
    };
    let count = number(2).unwrap_or(length).max(0);
    let start = usize::try_from(start.min(length)).unwrap_or_default();
    let end = start
        .saturating_add(usize::try_from(count).unwrap_or_default())
        .min(whole.len());
    Ok(Value::str(&String::from_utf8_lossy(
        whole.get(start..end).unwrap_or_default(),
    )))
}

fn position(_: &Env<'_>, args: &[Value]) -> Answer {
    let found = text("position", args, 0)?.find(text("position", args, 1)?);
    Ok(Value::integer(found.map_or(0, |at| at as i128 + 1)))
}

fn replace_all(_: &Env<'_>, args: &[Value]) -> Answer {
    let (whole, from, to) = (
        text("replaceAll", args, 0)?,
        text("replaceAll", args, 1)?,
        text("replaceAll", args, 2)?,
    );
    Ok(Value::str(&if from.is_empty() {
        whole.to_owned()
    } else {
        whole.replace(from, to)
    }))
}

fn cut_query_string(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(Value::str(
        text("cutQueryString", args, 0)?
            .split('?')
            .next()
            .unwrap_or_default(),
    ))
}

/// CityHash 1.0.2, which ClickHouse keeps for ever; of text only, which is what sharding by id needs.
fn city_hash(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(Value::UInt(ch_cityhash102::cityhash64(
        text("cityHash64", args, 0)?.as_bytes(),
    )))
}
