//! Arithmetic and functions on numbers.

use std::cmp::Ordering;

use super::{Args, Definition, first, float, int, wrong_type};
use crate::hogql::ast::Operator;
use crate::hogql::error::QueryError;
use crate::hogql::types::{Kind, Type};
use crate::hogql::value::{Unit, Value};
use crate::hogql::{Env, dates};

type Answer = Result<Value, QueryError>;

pub(super) const ALL: &[Definition] = &[
    Definition::new("plus", (2, 2), sum_type, |_, args| {
        two(Operator::Plus, args)
    }),
    Definition::new("minus", (2, 2), sum_type, |_, args| {
        two(Operator::Minus, args)
    }),
    Definition::new("multiply", (2, 2), sum_type, |_, args| {
        two(Operator::Multiply, args)
    }),
    Definition::new("divide", (2, 2), float, |_, args| {
        two(Operator::Divide, args)
    }),
    Definition::new("modulo", (2, 2), first, |_, args| {
        two(Operator::Modulo, args)
    }),
    Definition::new("intDiv", (2, 2), int, int_div),
    Definition::new("negate", (1, 1), first, negate),
    Definition::new("abs", (1, 1), first, abs),
    Definition::new("round", (1, 2), first, round),
    Definition::new("floor", (1, 1), first, |_, args| whole(args, f64::floor)),
    Definition::new("ceil", (1, 1), first, |_, args| whole(args, f64::ceil)),
    Definition::new("least", (2, 2), either, |_, args| {
        extreme(args, Ordering::Less)
    }),
    Definition::new("greatest", (2, 2), either, |_, args| {
        extreme(args, Ordering::Greater)
    }),
];

fn sum_type(args: &Args<'_>) -> Type {
    let (one, two) = (args.kind(0), args.kind(1));
    if two.kind == Kind::Interval || !one.is_number() {
        one
    } else {
        one.union(&two)
    }
}

fn either(args: &Args<'_>) -> Type {
    args.kind(0).union(&args.kind(1))
}

/// The definition that an operator stands for.
pub(crate) fn of_operator(operator: Operator) -> &'static str {
    match operator {
        Operator::Plus => "plus",
        Operator::Minus => "minus",
        Operator::Multiply => "multiply",
        Operator::Divide => "divide",
        _ => "modulo",
    }
}

fn pair(args: &[Value]) -> (&Value, &Value) {
    (
        args.first().unwrap_or(&Value::Null),
        args.get(1).unwrap_or(&Value::Null),
    )
}

fn two(operator: Operator, args: &[Value]) -> Answer {
    let (one, two) = pair(args);
    if let Some(moved) = shift(operator, one, two) {
        return moved;
    }
    if operator != Operator::Divide
        && let (Some(one), Some(two)) = (one.as_int(), two.as_int())
    {
        return integers(operator, one, two);
    }
    let float = |value: &Value| {
        value
            .as_float()
            .ok_or_else(|| wrong_type(of_operator(operator), value))
    };
    let (one, two) = (float(one)?, float(two)?);
    Ok(Value::Float(match operator {
        Operator::Plus => one + two,
        Operator::Minus => one - two,
        Operator::Multiply => one * two,
        Operator::Divide => one / two,
        _ => one % two,
    }))
}

fn integers(operator: Operator, one: i128, two: i128) -> Answer {
    let zero = || QueryError::clickhouse("illegal_division", "Division by zero");
    let number = match operator {
        Operator::Plus => one.checked_add(two),
        Operator::Minus => one.checked_sub(two),
        Operator::Multiply => one.checked_mul(two),
        _ => Some(one.checked_rem(two).ok_or_else(zero)?),
    };
    Ok(number.map_or(Value::Null, Value::integer))
}

/// A date or datetime moved by an interval, or by a number of its own unit.
fn shift(operator: Operator, one: &Value, two: &Value) -> Option<Answer> {
    let sign = match operator {
        Operator::Plus => 1,
        Operator::Minus => -1,
        _ => return None,
    };
    let plain = if matches!(one, Value::Date(_)) {
        Unit::Day
    } else {
        Unit::Second
    };
    let (unit, count) = match two {
        Value::Interval(unit, count) => (*unit, *count),
        other => (plain, i64::try_from(other.as_int()?).ok()?),
    };
    move_by(one, unit, count.checked_mul(sign)?).map(Ok)
}

/// A date or datetime moved; `None` for anything else.
pub(super) fn move_by(value: &Value, unit: Unit, count: i64) -> Option<Value> {
    match value {
        Value::DateTime {
            micros,
            zone,
            precise,
        } => {
            let moved = dates::add(*micros, *zone, unit, count);
            Some(moved.map_or(Value::Null, |micros| Value::DateTime {
                micros,
                zone: *zone,
                precise: *precise,
            }))
        }
        Value::Date(days) => {
            Some(dates::add_days(*days, unit, count).map_or(Value::Null, Value::Date))
        }
        _ => None,
    }
}

fn int_div(_: &Env<'_>, args: &[Value]) -> Answer {
    let (one, two) = pair(args);
    let divided = one
        .as_int()
        .zip(two.as_int())
        .and_then(|(one, two)| one.checked_div(two));
    divided
        .map(Value::integer)
        .ok_or_else(|| QueryError::clickhouse("illegal_division", "Division by zero"))
}

fn negate(_: &Env<'_>, args: &[Value]) -> Answer {
    let (value, _) = pair(args);
    match value.as_int() {
        Some(number) => Ok(Value::integer(-number)),
        None => value
            .as_float()
            .map(|number| Value::Float(-number))
            .ok_or_else(|| wrong_type("negate", value)),
    }
}

fn abs(_: &Env<'_>, args: &[Value]) -> Answer {
    let (value, _) = pair(args);
    match value.as_int() {
        Some(number) => Ok(Value::integer(number.abs())),
        None => value
            .as_float()
            .map(|number| Value::Float(number.abs()))
            .ok_or_else(|| wrong_type("abs", value)),
    }
}

fn whole(args: &[Value], cut: fn(f64) -> f64) -> Answer {
    let (value, _) = pair(args);
    if value.as_int().is_some() {
        return Ok(value.clone());
    }
    value
        .as_float()
        .map(|number| Value::Float(cut(number)))
        .ok_or_else(|| wrong_type("round", value))
}

fn round(_: &Env<'_>, args: &[Value]) -> Answer {
    let (value, digits) = pair(args);
    let digits = digits
        .as_int()
        .and_then(|digits| i32::try_from(digits).ok())
        .unwrap_or(0);
    let scale = 10_f64.powi(digits);
    match value {
        Value::Float(number) => Ok(Value::Float((number * scale).round_ties_even() / scale)),
        _ => whole(args, f64::round),
    }
}

fn extreme(args: &[Value], wanted: Ordering) -> Answer {
    let (one, two) = pair(args);
    let order = one.compare(two).ok_or_else(|| wrong_type("least", two))?;
    Ok(if order == wanted {
        one.clone()
    } else {
        two.clone()
    })
}
