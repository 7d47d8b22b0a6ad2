//! PostHog's answers, changed byte by byte at random for as long as `FUZZ_SECONDS` says, or one second,
//! and judged by a reading of the whole as a tree.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

const ANSWERS: [&str; 4] = [
    r#"{"columns":["event","row_count"],"results":[["$pageview",3],[7,"1"]],"types":[["event","String"]],"hasMore":null}"#,
    r#"{"cache_key":"x","is_cached":false,"results":[["caf\u00e9 \ud83d\uded2",18446744073709551615]],"nested":{"results":[1]},"columns":["event","row_count"]}"#,
    r#"{"columns":["event","row_count"],"results":[],"error":null}"#,
    r#"{"results":null,"columns":["event","row_count"],"error":"Unknown table"}"#,
];

/// Some bytes of a text go, and others come in their place.
type Change = (Index, usize, Vec<u8>);

fn changed() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "\"", "[", "]", "{", "}", ",", ":", "\\", "0", "-", "1e9", "null", "true", " ", "\\u0000",
            "[\"a\",1],", "\"results\":", "\"columns\":[],", "\"error\":\"x\",",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    let change = (any::<Index>(), 0_usize..4, piece);
    let changes = prop::collection::vec(change, 0..4);
    (prop::sample::select(&ANSWERS[..]), changes).prop_map(|(answer, changes): (_, Vec<Change>)| {
        let mut bytes = answer.as_bytes().to_vec();
        for (at, removed, piece) in changes {
            let from = at.index(bytes.len() + 1);
            let to = (from + removed).min(bytes.len());
            bytes.splice(from..to, piece);
        }
        bytes
    })
}

/// The rows of a whole answer; `None` unless it is one beyond doubt.
fn naive(body: &[u8]) -> Option<Vec<(String, u64)>> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let has_error = answer.get("error").is_some_and(|error| !error.is_null());
    if has_error || answer["columns"] != serde_json::json!(["event", "row_count"]) {
        return None;
    }
    let results = answer["results"].as_array()?;
    let rows = results.iter().map(|row| match &row.as_array()?[..] {
        [event, count] => {
            let event = match event {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            let count = match count {
                Value::String(text) => text.parse().ok()?,
                count => count.as_u64()?,
            };
            Some((event, count))
        }
        _ => None,
    });
    let rows: Vec<(String, u64)> = rows.collect::<Option<_>>()?;
    (rows.len() <= 2).then_some(rows)
}

/// A tree keeps the last of fields that are named twice, which is not what a stream can do; and it
/// writes fractions in its own way. What is passed over may be no text at all, and no tree either.
fn is_plain(body: &[u8]) -> bool {
    let (Ok(text), Ok(tree)) = (std::str::from_utf8(body), serde_json::from_slice(body)) else {
        return false;
    };
    let named = |name: &str| text.matches(name).count();
    let nested = usize::from(text.contains("nested"));
    named("results") <= 1 + nested
        && named("columns") <= 1
        && named("error") <= 1
        && !text.contains('\\')
        && !has_fraction(&tree)
}

/// Whether some number of a tree is kept as a float: one with a point, an exponent, or more digits
/// than an integer has.
fn has_fraction(tree: &Value) -> bool {
    match tree {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(fields) => fields.values().any(has_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn read_as_a_tree_is(body: &[u8]) -> Result<(), TestCaseError> {
    let read = read_rows("known_events", BufReader::new(body), &columns(), 2, |row| {
        Ok((row.text()?, row.count()?))
    });
    match read {
        Ok(rows) => {
            prop_assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok());
            if is_plain(body) {
                prop_assert_eq!(Some(rows), naive(body));
            }
        }
        Err(error) => {
            if is_plain(body) {
                prop_assert_eq!(naive(body), None, "{}", error);
            }
        }
    }
    Ok(())
}

#[test]
fn no_change_of_an_answer_is_half_read() {
    let seconds = std::env::var("FUZZ_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < end {
        TestRunner::default()
            .run(&changed(), |body| read_as_a_tree_is(&body))
            .unwrap();
        rounds += 1;
    }
}
