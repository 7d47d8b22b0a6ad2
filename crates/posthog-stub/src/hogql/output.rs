//! Rows to JSON, as PostHog's renderer writes them: NaN and infinities are null, uuids and dates text.

use std::io::Write as _;

use super::value::Value;
use super::{ResultSet, dates};
use crate::http::fault::Fault;

/// Writes the array of rows, with the faults that concern rows.
pub(crate) fn write_rows(out: &mut Vec<u8>, set: &ResultSet, fault: Option<&Fault>) {
    let objects = matches!(fault, Some(Fault::ObjectProperties));
    let object_at = set
        .columns
        .iter()
        .position(|name| objects && name == "properties");
    let written = match fault {
        Some(Fault::Column { name, json }) => {
            let at = set.columns.iter().position(|column| column == name);
            at.map(|at| (at, json.as_bytes()))
        }
        _ => None,
    };
    let short = usize::from(matches!(fault, Some(Fault::ShortRows)));
    let copies = if matches!(fault, Some(Fault::DuplicateRows)) {
        2
    } else {
        1
    };
    out.push(b'[');
    let mut first = true;
    for row in set
        .rows
        .iter()
        .flat_map(|row| std::iter::repeat_n(row, copies))
    {
        separate(out, &mut first);
        out.push(b'[');
        let mut first = true;
        for (at, value) in row
            .iter()
            .enumerate()
            .take(row.len() - short.min(row.len()))
        {
            separate(out, &mut first);
            match value {
                _ if written.is_some_and(|(column, _)| column == at) => {
                    out.extend_from_slice(written.map_or(b"", |(_, json)| json));
                }
                Value::Str(text) if object_at == Some(at) => out.extend_from_slice(text.as_bytes()),
                value => write_value(out, value),
            }
        }
        out.push(b']');
    }
    out.push(b']');
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if *first {
        *first = false;
    } else {
        out.push(b',');
    }
}

// Writing to a Vec cannot fail, so the results of `write!` are dropped.
fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Int(number) => drop(write!(out, "{number}")),
        Value::UInt(number) => drop(write!(out, "{number}")),
        Value::Float(number) if !number.is_finite() => out.extend_from_slice(b"null"),
        Value::Float(number) => drop(write!(out, "{number:?}")),
        Value::Str(text) => write_text(out, text),
        Value::Date(days) => {
            let date = dates::date(*days).map_or_else(String::new, |date| date.to_string());
            drop(write!(out, "\"{date}\""));
        }
        Value::DateTime { micros, zone, .. } => {
            out.push(b'"');
            dates::write_iso(out, *micros, *zone);
            out.push(b'"');
        }
        Value::Uuid(uuid) => {
            out.push(b'"');
            out.extend_from_slice(
                uuid.hyphenated()
                    .encode_lower(&mut uuid::Uuid::encode_buffer())
                    .as_bytes(),
            );
            out.push(b'"');
        }
        Value::Array(items) | Value::Tuple(items) => {
            out.push(b'[');
            let mut first = true;
            for item in items.iter() {
                separate(out, &mut first);
                write_value(out, item);
            }
            out.push(b']');
        }
        Value::Interval(_, count) => drop(write!(out, "{count}")),
        Value::Props(properties) => write_text(out, &properties.to_json_text()),
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.extend_from_slice(text.as_bytes());
    } else {
        for character in text.chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                control if (control as u32) < 0x20 => {
                    drop(write!(out, "\\u{:04x}", control as u32));
                }
                other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}
