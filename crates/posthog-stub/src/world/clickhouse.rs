//! JSON as ClickHouse writes it, which is not how PostHog stores it: `JSONExtractRaw` writes each value
//! anew (`src/IO/WriteHelpers.h`: writeJSONString; floats in their shortest form).

use std::fmt::Write as _;

use serde_json::Value as Json;

/// A float: with an exponent below a millionth and from 10^21 on.
pub(crate) fn float(number: f64) -> String {
    let exponent = number != 0.0 && number.abs() < 1e-6 || number.abs() >= 1e21;
    match number {
        number if number.is_nan() => "nan".to_owned(),
        f64::INFINITY => "inf".to_owned(),
        f64::NEG_INFINITY => "-inf".to_owned(),
        number if exponent => format!("{number:e}"),
        number => number.to_string(),
    }
}

/// A value, without spaces.
pub(crate) fn raw(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => whole.to_string(),
            (_, Some(whole)) => whole.to_string(),
            _ => float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => quoted(text),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(raw).collect();
            format!("[{}]", items.join(","))
        }
        Json::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", quoted(name), raw(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        let short = match character {
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '"' | '\\' => character,
            control if control < ' ' || ['\u{2028}', '\u{2029}'].contains(&control) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(control));
                continue;
            }
            other => {
                out.push(other);
                continue;
            }
        };
        out.push('\\');
        out.push(short);
    }
    out.push('"');
    out
}
