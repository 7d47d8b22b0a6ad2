//! A small HogQL interpreter.
mod value;
use crate::{Fault, TooMuch, world::project::Project};
use jiff::Timestamp;
use serde_json::Value as Json;
pub(crate) use value::Value;

/// One query.
pub(crate) struct Ask<'a> {
    pub(crate) text: &'a str,
    pub(crate) values: &'a Json,
    pub(crate) in_project_zone: bool,
    pub(crate) now: Timestamp,
    pub(crate) too_much: Option<TooMuch>,
}
#[derive(Debug)]
pub(crate) struct ResultSet {
    pub(crate) columns: Vec<String>,
    pub(crate) types: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) has_more: Option<bool>,
    pub(crate) limit: Option<usize>,
    pub(crate) bytes_read: u64,
}
#[derive(Debug)]
pub(crate) enum QueryError {
    Invalid { code: &'static str, detail: String },
    TooMuch { status: u16 },
}
pub(crate) fn run(_project: &Project, _ask: &Ask<'_>) -> Result<ResultSet, QueryError> {
    Err(QueryError::Invalid {
        code: "invalid_input",
        detail: String::new(),
    })
}
pub(crate) fn write_rows(_out: &mut Vec<u8>, _set: &ResultSet, _fault: Option<&Fault>) {}
