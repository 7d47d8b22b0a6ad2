//! Answers in the shapes that PostHog sends, and in shapes that it should not.

mod fuzz;

use super::*;
use std::io::BufReader;

fn columns() -> Vec<String> {
    vec!["event".to_owned(), "row_count".to_owned()]
}

fn read(body: &str) -> Result<Vec<(String, u64)>, Error> {
    read_rows(
        "known_events",
        BufReader::new(body.as_bytes()),
        &columns(),
        2,
        |row| Ok((row.text()?, row.count()?)),
    )
}

fn problem(body: &str) -> String {
    read(body)
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

#[test]
fn results_may_come_before_or_after_columns_among_fields_of_any_release() {
    let expected = vec![("$pageview".to_owned(), 3), ("7".to_owned(), 1)];
    for body in [
        r#"{"columns":["event","row_count"],"results":[["$pageview",3],[7,"1"]],"types":[["event","String"]],"error":null,"hasMore":null}"#,
        r#"{"cache_key":"x","is_cached":false,"results":[["$pageview",3],[7,"1"]],"nested":{"results":[1]},"columns":["event","row_count"]}"#,
    ] {
        assert_eq!(read(body).ok().as_ref(), Some(&expected), "{body}");
    }
}

#[test]
fn a_missing_renamed_or_reordered_column_is_an_error() {
    for given in [
        r#"["event"]"#,
        r#"["event","rows"]"#,
        r#"["event","row_count","secret"]"#,
        r#"["row_count","event"]"#,
    ] {
        let body = format!(r#"{{"columns":{given},"results":[]}}"#);
        assert!(
            problem(&body).contains("instead of event, row_count"),
            "{given}"
        );
    }
    assert!(problem(r#"{"results":[]}"#).contains("no columns"));
    assert!(problem(r#"{"columns":["event","row_count"]}"#).contains("no results"));
}

#[test]
fn a_short_or_long_row_is_an_error() {
    for row in [r#"["a"]"#, r#"["a",1,2]"#, "[]"] {
        let body = format!(r#"{{"columns":["event","row_count"],"results":[["a",1],{row}]}}"#);
        assert!(problem(&body).contains("row 2 has"), "{row}");
    }
}

#[test]
fn more_rows_than_the_limit_are_an_error() {
    let body = r#"{"columns":["event","row_count"],"results":[["a",1],["b",1],["c",1]]}"#;
    assert!(problem(body).contains("more rows than the limit of 2"));
}

#[test]
fn a_value_of_the_wrong_kind_is_named_without_being_shown() {
    let body = r#"{"columns":["event","row_count"],"results":[["a",{"secret":1}]]}"#;
    let text = problem(body);
    assert!(
        text.contains("row 1: row_count is an array or object"),
        "{text}"
    );
    assert!(!text.contains("secret"));
}

#[test]
fn an_answer_that_ends_early_is_truncated_wherever_it_ends() {
    let body = r#"{"columns":["event","row_count"],"results":[["a",1]]}"#;
    for end in 0..body.len() {
        assert!(
            matches!(read(&body[..end]), Err(Error::Truncated { .. })),
            "{end}"
        );
    }
}

#[test]
fn other_json_and_no_json_are_not_understood() {
    for body in [
        "[]",
        "7",
        "<html>",
        r#"{"columns":5}"#,
        r#"{"results":5}"#,
        "{} x",
    ] {
        assert!(matches!(read(body), Err(Error::Malformed { .. })), "{body}");
    }
}

#[test]
fn an_error_within_a_success_is_an_error() {
    let body = r#"{"columns":["event","row_count"],"results":null,"error":"Unknown table"}"#;
    let error = read(body).err();
    assert!(
        matches!(error, Some(Error::QueryRejected { detail, .. }) if detail == "Unknown table")
    );
}
