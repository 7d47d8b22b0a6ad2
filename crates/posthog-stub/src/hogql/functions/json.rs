//! Functions on JSON text.

use serde_json::Value as Json;

use super::{Definition, flag, float, int, string, wrong_type};
use crate::hogql::columns;
use crate::hogql::error::QueryError;
use crate::hogql::value::Value;
use crate::world::clickhouse;
use crate::world::property::Property;

type Answer = Result<Value, QueryError>;

pub(super) const ALL: &[Definition] = &[
    Definition::new("JSONExtractString", (1, usize::MAX), string, |_, args| {
        find(args, |found| extract_string(&found))
    }),
    Definition::new("JSONExtractRaw", (1, usize::MAX), string, |_, args| {
        find(args, |found| extract_raw(&found))
    }),
    Definition::new("JSONExtractInt", (1, usize::MAX), int, |_, args| {
        find(args, |found| {
            Value::Int(found.and_then(|json| json.as_i64()).unwrap_or(0))
        })
    }),
    Definition::new("JSONExtractFloat", (1, usize::MAX), float, |_, args| {
        find(args, |found| {
            Value::Float(found.and_then(|json| json.as_f64()).unwrap_or(0.0))
        })
    }),
    Definition::new("JSONExtractBool", (1, usize::MAX), flag, |_, args| {
        find(args, |found| Value::flag(found == Some(Json::Bool(true))))
    }),
    Definition::new("JSONHas", (1, usize::MAX), flag, |_, args| {
        find(args, |found| Value::flag(found.is_some()))
    }),
];

/// Looks up a path of keys (texts) and places (numbers from 1) in JSON text.
fn find(args: &[Value], then: impl FnOnce(Option<Json>) -> Value) -> Answer {
    let text = args.first().unwrap_or(&Value::Null);
    let text = text
        .as_str()
        .ok_or_else(|| wrong_type("JSONExtract", text))?;
    let mut found: Option<Json> = serde_json::from_str(text).ok();
    for step in args.iter().skip(1) {
        found = found.and_then(|mut json| match step {
            Value::Str(key) => json.get_mut(&**key).map(Json::take),
            other => {
                let place = usize::try_from(other.as_int()?).ok()?.checked_sub(1)?;
                json.get_mut(place).map(Json::take)
            }
        });
    }
    Ok(then(found))
}

pub(crate) fn extract_string(found: &Option<Json>) -> Value {
    Value::str(found.as_ref().and_then(Json::as_str).unwrap_or_default())
}

pub(crate) fn extract_raw(found: &Option<Json>) -> Value {
    found
        .as_ref()
        .map_or_else(|| Value::str(""), |json| Value::str(&clickhouse::raw(json)))
}

/// What `x.a.b` yields on JSON text: like a property, NULL when absent.
pub(crate) fn path(text: &str, path: &[String]) -> Value {
    let Ok(mut json) = serde_json::from_str::<Json>(text) else {
        return Value::Null;
    };
    for key in path {
        let Some(inner) = json.get_mut(key) else {
            return Value::Null;
        };
        json = inner.take();
    }
    columns::property(Some(&Property::from(json)))
}
