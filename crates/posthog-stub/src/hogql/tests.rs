//! The interpreter against HogQL's rules, without HTTP.

mod aggregates;
mod expressions;
mod refusals;
mod results;
mod tables;
mod times;

use serde_json::{Value as Json, json};

use super::{Ask, QueryError, ResultSet, run, write_rows};
use crate::world::event::Event;
use crate::world::project::Project;

const NOW: &str = "2026-03-02T00:00:00Z";

fn ask(project: &Project, text: &str, values: &Json) -> Result<ResultSet, QueryError> {
    let ask = Ask {
        text,
        values,
        in_project_zone: true,
        now: NOW.parse().unwrap(),
        too_much: None,
    };
    run(project, &ask)
}

fn json_rows(set: &ResultSet) -> Json {
    let mut out = Vec::new();
    write_rows(&mut out, set, None);
    serde_json::from_slice(&out).unwrap()
}

/// The rows of a query that must succeed, as JSON.
#[expect(
    clippy::needless_pass_by_value,
    reason = "calls read better without a borrow"
)]
fn rows(project: &Project, text: &str, values: Json) -> Json {
    match ask(project, text, &values) {
        Ok(set) => json_rows(&set),
        Err(error) => panic!("{text}: {error:?}"),
    }
}

/// The single value of an expression without a table.
fn value(expression: &str) -> Json {
    rows(
        &Project::new(1, "one"),
        &format!("select {expression} limit 1"),
        Json::Null,
    )[0][0]
        .clone()
}

/// The code of a query that must fail.
#[expect(
    clippy::needless_pass_by_value,
    reason = "calls read better without a borrow"
)]
fn refusal(project: &Project, text: &str, values: Json) -> (&'static str, String) {
    match ask(project, text, &values) {
        Err(QueryError::Invalid { code, detail }) => (code, detail),
        other => panic!("{text}: {other:?}"),
    }
}

/// Three events of two people on two days.
fn small() -> Project {
    let mut project = Project::new(7, "small");
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let id = |number: u128| uuid::Uuid::from_u128(number);
    project.capture(
        Event::new("$pageview", "ada", at("2026-03-01T10:00:00.000001Z"))
            .uuid(id(3))
            .property("$current_url", "https://shop.example/products/red?x=1")
            .property("price", 19.5)
            .property("quantity", 2)
            .property("note", "say \"hi\"")
            .property("nested", json!({"a": {"b": "deep"}, "list": [1, 2]}))
            .property("empty", "")
            .property("nothing", Json::Null)
            .property("with space", true),
    );
    project.capture(
        Event::new("$pageview", "bob", at("2026-03-01T10:00:00.000001Z"))
            .uuid(id(1))
            .property("price", 5),
    );
    project.capture(
        Event::new("order", "ada", at("2026-02-28T23:30:00Z"))
            .uuid(id(2))
            .property("price", "cheap"),
    );
    project.settle();
    project
}
