//! A small HogQL interpreter: lexer and parser make a tree, the compiler resolves names and types
//! against the world's tables, the executor scans, groups, sorts and limits.
//!
//! It follows HogQL where that differs from SQL: comparisons never yield NULL, aliases are seen by the
//! rest of the query, `properties.x` is text or NULL, datetimes carry the project's zone, a query
//! without LIMIT gets 100 rows, and OFFSET is refused. What it does not know, it refuses with 400.

mod aggregate;
mod ast;
mod columns;
mod compile;
mod dates;
mod error;
mod execute;
mod functions;
mod keywords;
mod lexer;
mod like;
mod node;
mod output;
mod parser;
mod reads;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod zone;

use jiff::Timestamp;
use serde_json::Value as Json;

pub(crate) use error::QueryError;
pub(crate) use output::write_rows;
pub(crate) use value::Value;

use crate::http::limits::TooMuch;
use crate::world::project::Project;
use execute::Executor;
use zone::Zone;

/// Rows of a query without LIMIT.
const DEFAULT_LIMIT: usize = 100;
/// A larger LIMIT is clamped to this without notice.
const MAX_LIMIT: usize = 50_000;

/// One query to run.
pub(crate) struct Ask<'a> {
    pub(crate) text: &'a str,
    /// What `{name}` placeholders are bound to: an object or null.
    pub(crate) values: &'a Json,
    /// Whether datetimes come in the project's time zone rather than in UTC.
    pub(crate) in_project_zone: bool,
    pub(crate) now: Timestamp,
    pub(crate) too_much: Option<TooMuch>,
}

/// The rows of a query and what PostHog tells about them.
#[derive(Debug)]
pub(crate) struct ResultSet {
    pub(crate) columns: Vec<String>,
    /// ClickHouse type names.
    pub(crate) types: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
    /// Only for a query without LIMIT of its own.
    pub(crate) has_more: Option<bool>,
    pub(crate) limit: Option<usize>,
    /// An estimate of what ClickHouse would have read.
    pub(crate) bytes_read: u64,
}

/// What expressions are evaluated in.
pub(crate) struct Env<'w> {
    pub(crate) project: &'w Project,
    /// The zone of datetime columns and of functions without a zone argument.
    pub(crate) zone: Zone,
    pub(crate) now: Timestamp,
    pub(crate) values: &'w Json,
    pub(crate) too_much: Option<TooMuch>,
}

/// Parses and evaluates a query over a project.
pub(crate) fn run(project: &Project, ask: &Ask<'_>) -> Result<ResultSet, QueryError> {
    let query = parser::parse(ask.text)?;
    if query.uses_offset() {
        return Err(QueryError::invalid(
            "OFFSET is not supported on queries made with a personal API key. \
             Use keyset pagination, or a batch export for large volumes.",
        ));
    }
    let zone = if ask.in_project_zone {
        Zone::of(&project.zone_name)
    } else {
        Zone::of("UTC")
    };
    let zone = zone.ok_or_else(|| QueryError::invalid("Unknown time zone of the project"))?;
    let env = Env {
        project,
        zone,
        now: ask.now,
        values: ask.values,
        too_much: ask.too_much,
    };
    let executor = Executor::new(&env);
    let own_limit = executor.limit(&query)?;
    let wanted = own_limit.map_or(DEFAULT_LIMIT + 1, |limit| limit.min(MAX_LIMIT));
    let mut table = executor.select(&query, Some(wanted))?;
    let has_more = own_limit
        .is_none()
        .then_some(table.rows.len() > DEFAULT_LIMIT);
    if own_limit.is_none() {
        table.rows.truncate(DEFAULT_LIMIT);
    }
    Ok(ResultSet {
        columns: table
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect(),
        types: table
            .columns
            .iter()
            .map(|column| column.kind.to_string())
            .collect(),
        rows: table.rows,
        has_more,
        limit: own_limit.is_none().then_some(DEFAULT_LIMIT),
        bytes_read: executor.bytes_read(),
    })
}
