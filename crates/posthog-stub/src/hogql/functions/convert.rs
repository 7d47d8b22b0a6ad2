//! Conversions. HogQL's `toInt`, `toFloat`, `toUUID`, `toDate` and `toDateTime` yield NULL for what they cannot read.

use uuid::Uuid;

use super::dates::named_zone;
use super::{Args, Definition, first, flag, string, wrong_type};
use crate::hogql::error::QueryError;
use crate::hogql::types::{Kind, Type};
use crate::hogql::value::Value;
use crate::hogql::zone::Zone;
use crate::hogql::{Env, dates};
use crate::world::clickhouse;
use crate::world::project::PropertyType;

type Answer = Result<Value, QueryError>;

pub(super) const ALL: &[Definition] = &[
    Definition::new("toString", (1, 2), string, to_string),
    Definition::new(
        "toNullableString",
        (1, 1),
        |_| Type::nullable(Kind::String),
        to_string,
    ),
    Definition::new(
        "toInt",
        (1, 1),
        |_| Type::nullable(Kind::Int64),
        |_, args| Ok(to_int(one(args))),
    ),
    Definition::new(
        "toIntOrZero",
        (1, 1),
        |_| Type::of(Kind::Int64),
        |_, args| Ok(or_zero(to_int(one(args)), Value::Int(0))),
    ),
    Definition::new(
        "toFloat",
        (1, 1),
        |_| Type::nullable(Kind::Float64),
        |_, args| Ok(to_float(one(args))),
    ),
    Definition::new(
        "toFloatOrZero",
        (1, 1),
        |_| Type::of(Kind::Float64),
        |_, args| Ok(or_zero(to_float(one(args)), Value::Float(0.0))),
    ),
    Definition::new("toUUID", (1, 1), |_| Type::nullable(Kind::Uuid), to_uuid),
    Definition::new(
        "toBool",
        (1, 1),
        |_| Type::of(Kind::Bool),
        |_, args| Ok(Value::Bool(one(args).is_true())),
    ),
    Definition::new("toDate", (1, 1), date_type, to_date),
    Definition::new("toDateTime", (1, 2), date_time_type, to_date_time),
    Definition::new("toDateTime64", (1, 3), date_time_64_type, to_date_time_64),
    Definition::new(
        "parseDateTimeBestEffort",
        (1, 2),
        date_time_type,
        to_date_time,
    ),
    Definition::new("nullIf", (2, 2), |args| first(args).or_null(true), null_if).taking_null(),
    Definition::new("isNull", (1, 1), flag, |_, args| {
        Ok(Value::flag(one(args).is_null()))
    })
    .taking_null(),
    Definition::new("isNotNull", (1, 1), flag, |_, args| {
        Ok(Value::flag(!one(args).is_null()))
    })
    .taking_null(),
    Definition::new("assumeNotNull", (1, 1), assumed, assume_not_null).taking_null(),
    Definition::new(
        "toNullable",
        (1, 1),
        |args| first(args).or_null(true),
        |_, args| Ok(one(args).clone()),
    )
    .taking_null(),
];

fn one(args: &[Value]) -> &Value {
    args.first().unwrap_or(&Value::Null)
}

fn or_zero(value: Value, zero: Value) -> Value {
    if value.is_null() { zero } else { value }
}

/// ClickHouse's text of a value.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => clickhouse::float(*number),
        Value::Str(text) => text.to_string(),
        Value::Date(days) => dates::date(*days).map_or_else(String::new, |date| date.to_string()),
        Value::DateTime {
            micros,
            zone,
            precise,
        } => dates::text(*micros, *zone, *precise),
        Value::Uuid(uuid) => uuid.to_string(),
        Value::Interval(_, count) => count.to_string(),
        Value::Props(properties) => properties.to_json_text(),
        Value::Array(items) => list(items, '[', ']'),
        Value::Tuple(items) => list(items, '(', ')'),
    }
}

fn list(items: &[Value], open: char, close: char) -> String {
    let parts: Vec<String> = items
        .iter()
        .map(|item| match item {
            Value::Str(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            other => as_text(other),
        })
        .collect();
    format!("{open}{}{close}", parts.join(","))
}

fn to_string(_: &Env<'_>, args: &[Value]) -> Answer {
    let value = one(args);
    if let (
        Value::DateTime {
            micros, precise, ..
        },
        Some(zone),
    ) = (value, named_zone(args, 1)?)
    {
        return Ok(Value::str(&dates::text(*micros, zone, *precise)));
    }
    Ok(match value {
        Value::Str(_) => value.clone(),
        Value::Uuid(uuid) => Value::str(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
        other => Value::str(&as_text(other)),
    })
}

fn to_int(value: &Value) -> Value {
    match value {
        Value::Str(text) => text.parse().map_or(Value::Null, Value::Int),
        Value::Float(number) if number.fract() == 0.0 => Value::integer(*number as i128),
        Value::DateTime { micros, .. } => Value::Int(micros.div_euclid(1_000_000)),
        Value::Date(days) => Value::Int(i64::from(*days)),
        other => other
            .as_int()
            .and_then(|number| i64::try_from(number).ok())
            .map_or(Value::Null, Value::Int),
    }
}

fn to_float(value: &Value) -> Value {
    match value {
        Value::Str(text) => text.parse().map_or(Value::Null, Value::Float),
        other => other.as_float().map_or(Value::Null, Value::Float),
    }
}

fn to_uuid(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(match one(args) {
        Value::Str(text) => Uuid::try_parse(text).map_or(Value::Null, Value::Uuid),
        value @ Value::Uuid(_) => value.clone(),
        _ => Value::Null,
    })
}

fn date_type(args: &Args<'_>) -> Type {
    let kind = first(args);
    Type::of(Kind::Date).or_null(kind.is_text() || kind.nullable)
}

fn to_date(_: &Env<'_>, args: &[Value]) -> Answer {
    match one(args) {
        Value::DateTime { micros, zone, .. } => Ok(Value::Date(dates::days_of(*micros, *zone))),
        value @ Value::Date(_) => Ok(value.clone()),
        Value::Str(text) => Ok(dates::parse_days(text).map_or(Value::Null, Value::Date)),
        other => Err(wrong_type("toDate", other)),
    }
}

fn zone_of(args: &Args<'_>, at: usize) -> Zone {
    args.text(at).and_then(Zone::of).unwrap_or(args.env.zone)
}

fn date_time_type(args: &Args<'_>) -> Type {
    let zone = zone_of(args, 1);
    let kind = first(args);
    if kind.is_text() {
        Type::nullable(Kind::DateTime64(zone))
    } else {
        Type::of(Kind::DateTime(zone)).or_null(kind.nullable)
    }
}

/// Text is read as well as can be, or NULL; everything else loses its fraction (POSTHOG.md 5.6).
fn to_date_time(env: &Env<'_>, args: &[Value]) -> Answer {
    let zone = named_zone(args, 1)?.unwrap_or(env.zone);
    let whole = |micros: i64| Value::DateTime {
        micros: micros.div_euclid(1_000_000) * 1_000_000,
        zone,
        precise: false,
    };
    match one(args) {
        Value::Str(text) => {
            Ok(
                dates::parse(text, zone).map_or(Value::Null, |micros| Value::DateTime {
                    micros,
                    zone,
                    precise: true,
                }),
            )
        }
        Value::DateTime { micros, .. } => Ok(whole(*micros)),
        Value::Date(days) => Ok(dates::midnight(*days, zone).map_or(Value::Null, whole)),
        other => {
            let seconds = other
                .as_int()
                .and_then(|number| i64::try_from(number).ok())
                .ok_or_else(|| wrong_type("toDateTime", other))?;
            Ok(whole(seconds.saturating_mul(1_000_000)))
        }
    }
}

fn date_time_64_type(args: &Args<'_>) -> Type {
    Type::of(Kind::DateTime64(zone_of(args, 2)))
}

fn to_date_time_64(env: &Env<'_>, args: &[Value]) -> Answer {
    let zone = named_zone(args, 2)?.unwrap_or(env.zone);
    let precise = |micros| Value::DateTime {
        micros,
        zone,
        precise: true,
    };
    match one(args) {
        Value::Str(text) => dates::parse(text, zone)
            .map(precise)
            .ok_or_else(|| unreadable(text)),
        Value::DateTime { micros, .. } => Ok(precise(*micros)),
        other => to_date_time(env, &[other.clone(), Value::str(zone.name())]),
    }
}

fn unreadable(text: &str) -> QueryError {
    QueryError::clickhouse(
        "cannot_parse_datetime",
        format!("Cannot parse DateTime from '{text}'"),
    )
}

/// `toDateTime` of one constant text: plain forms in the project's zone, anything else at best effort, or an error.
pub(crate) fn constant_date_time(env: &Env<'_>, text: &str) -> Answer {
    let micros = dates::parse(text, env.zone).ok_or_else(|| unreadable(text))?;
    let plain = text.len() == 10 || (text.len() == 19 && text.get(10..11) == Some(" "));
    Ok(Value::DateTime {
        micros,
        zone: env.zone,
        precise: !plain,
    })
}

/// A constant text as the type it is compared with. Text that cannot be read is ClickHouse's error, not NULL.
pub(crate) fn cast(text: &str, kind: &Type) -> Answer {
    match &kind.kind {
        Kind::Uuid => Uuid::try_parse(text).map(Value::Uuid).map_err(|_| {
            QueryError::clickhouse(
                "cannot_parse_uuid",
                format!("Cannot parse UUID from String: {text}"),
            )
        }),
        Kind::DateTime(zone) | Kind::DateTime64(zone) => dates::parse(text, *zone)
            .map(|micros| Value::DateTime {
                micros,
                zone: *zone,
                precise: true,
            })
            .ok_or_else(|| unreadable(text)),
        Kind::Date => dates::parse_days(text).map(Value::Date).ok_or_else(|| {
            QueryError::clickhouse(
                "cannot_parse_date",
                format!("Cannot parse Date from '{text}'"),
            )
        }),
        _ => Ok(Value::str(text)),
    }
}

/// A property read through its definition's type.
pub(crate) fn typed(kind: PropertyType) -> &'static Definition {
    match kind {
        PropertyType::Numeric => &NUMERIC,
        PropertyType::Boolean => &BOOLEAN,
        PropertyType::DateTime => &DATE_TIME,
    }
}

static NUMERIC: Definition = Definition::new(
    "typed numeric",
    (1, 1),
    |_| Type::nullable(Kind::Float64),
    |_, args| Ok(to_float(one(args))),
);
static BOOLEAN: Definition = Definition::new(
    "typed boolean",
    (1, 1),
    |_| Type::nullable(Kind::Bool),
    |_, args| {
        Ok(match one(args).as_str() {
            Some("true") => Value::Bool(true),
            Some("false") => Value::Bool(false),
            _ => Value::Null,
        })
    },
);
static DATE_TIME: Definition =
    Definition::new("typed datetime", (1, 1), date_time_type, to_date_time);

fn null_if(_: &Env<'_>, args: &[Value]) -> Answer {
    let (value, other) = (one(args), args.get(1).unwrap_or(&Value::Null));
    let equal = !value.is_null()
        && !other.is_null()
        && value.compare(other).is_some_and(std::cmp::Ordering::is_eq);
    Ok(if equal { Value::Null } else { value.clone() })
}

fn assumed(args: &Args<'_>) -> Type {
    Type::of(first(args).kind)
}

fn assume_not_null(_: &Env<'_>, args: &[Value]) -> Answer {
    Ok(if one(args).is_null() {
        Value::str("")
    } else {
        one(args).clone()
    })
}
