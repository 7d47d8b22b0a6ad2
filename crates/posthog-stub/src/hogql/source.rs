//! Rows to evaluate expressions on, and what names mean in them.

use super::types::Type;
use super::value::Value;
use crate::world::event::Event;

/// A column of a table or of a query's result.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Type,
}

/// A materialised result.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// What the names of a FROM clause mean.
#[derive(Debug)]
pub(crate) enum Schema {
    /// No FROM: one row without columns.
    Nothing,
    Events,
    Cells(Vec<Column>),
}

/// The rows of a FROM clause.
pub(crate) enum Source<'w> {
    Nothing,
    Events(&'w [Event]),
    Cells(Vec<Vec<Value>>),
}

/// One row.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a> {
    Nothing,
    Event(&'a Event),
    Cells(&'a [Value]),
    /// A group: its keys and its finished aggregates.
    Group(&'a [Value], &'a [Value]),
}

impl Source<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Nothing => 1,
            Self::Events(events) => events.len(),
            Self::Cells(rows) => rows.len(),
        }
    }

    pub(crate) fn row(&self, at: usize) -> Row<'_> {
        match self {
            Self::Nothing => Row::Nothing,
            Self::Events(events) => events.get(at).map_or(Row::Nothing, Row::Event),
            Self::Cells(rows) => rows.get(at).map_or(Row::Nothing, |row| Row::Cells(row)),
        }
    }
}
