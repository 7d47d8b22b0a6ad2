//! The value of a property, and its text as HogQL gives it.
//!
//! Numbers are taken as they are written: serde_json's own reading of a float may be off in its last
//! digit.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Error;
use serde_json::value::RawValue;

use crate::clickhouse_text::{push_escaped, push_float};

/// What `properties.x` gives for a value of this JSON: escapes stay as ClickHouse's JSON has them. None
/// for null, which HogQL does not tell from an absent property.
///
/// # Errors
/// When it is no JSON, or nested too deeply.
pub(super) fn text(json: &RawValue) -> Result<Option<String>, Error> {
    let json = json.get();
    let mut text = String::with_capacity(json.len());
    match json.as_bytes().first() {
        Some(b'n') => return Ok(None),
        Some(b'"') => {
            let inner: String = serde_json::from_str(json)?;
            push_escaped(&inner, &mut text);
        }
        _ => push(json, &mut text)?,
    }
    Ok(Some(text))
}

/// Appends a value as ClickHouse writes it: keys in their order, no spaces.
fn push(json: &str, to: &mut String) -> Result<(), Error> {
    match json.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(json)?;
            push_quoted(&text, to);
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json)?;
            to.push('[');
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    to.push(',');
                }
                push(item.get(), to)?;
            }
            to.push(']');
        }
        Some(b'{') => {
            let Fields(fields) = serde_json::from_str(json)?;
            to.push('{');
            for (at, (name, value)) in fields.into_iter().enumerate() {
                if at > 0 {
                    to.push(',');
                }
                push_quoted(&name, to);
                to.push(':');
                push(value.get(), to)?;
            }
            to.push('}');
        }
        Some(b't' | b'f' | b'n') => to.push_str(json),
        _ => push_number(json, to),
    }
    Ok(())
}

fn push_quoted(text: &str, to: &mut String) {
    to.push('"');
    push_escaped(text, to);
    to.push('"');
}

/// Whole numbers of 64 bits keep their digits.
fn push_number(digits: &str, to: &mut String) {
    if let Ok(number) = digits.parse::<i64>() {
        to.push_str(&number.to_string());
    } else if digits.parse::<u64>().is_ok() {
        to.push_str(digits);
    } else if let Ok(number) = digits.parse() {
        push_float(number, to);
    }
}

/// The fields of an object, in their order.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}
