//! A row of an answer, taken apart column by column in the order asked.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::cell::Cell;
use crate::instant;

/// The values of one row that have not been taken yet. Every method takes the next one; its error is
/// a clause that names the column.
pub(crate) struct Row<'a> {
    cells: std::vec::Drain<'a, Cell>,
    columns: std::slice::Iter<'a, String>,
    bytes: usize,
    is_proven: bool,
}

impl<'a> Row<'a> {
    /// The caller has made sure that there are as many cells as columns.
    pub(crate) fn new(cells: &'a mut Vec<Cell>, columns: &'a [String], is_proven: bool) -> Self {
        Self {
            bytes: cells.iter().map(Cell::bytes).sum(),
            cells: cells.drain(..),
            columns: columns.iter(),
            is_proven,
        }
    }

    /// The bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the answer has said before this row that its columns are those asked for. It may
    /// also say so after all rows, and until then a value may be another column's.
    pub(crate) fn is_proven(&self) -> bool {
        self.is_proven
    }

    fn next(&mut self) -> Result<(&'a str, Cell), String> {
        match (self.columns.next(), self.cells.next()) {
            (Some(column), Some(cell)) => Ok((column, cell)),
            _ => Err("it has no further value".to_owned()),
        }
    }

    /// A text that must be there. A number is taken as its digits.
    pub(crate) fn text(&mut self) -> Result<String, String> {
        let (column, cell) = self.next()?;
        match cell {
            Cell::Text(text) | Cell::Number(text) => Ok(text),
            other => Err(format!("{column} is {} instead of a text", other.kind())),
        }
    }

    /// A text that may be absent. PostHog answers null for an absent property or an empty text,
    /// depending on whether it has materialised the property, so both are absent here. What is no
    /// text is taken as its JSON.
    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, String> {
        let (_, cell) = self.next()?;
        Ok(match cell {
            Cell::Null => None,
            // A column that PostHog has materialised cannot tell the text "null" from JSON null, and
            // `$session_id` has no NULL at all; what an answer means must not hang on that.
            Cell::Text(text) => (!text.is_empty() && text != "null").then_some(text),
            Cell::Number(text) | Cell::Json(text) => Some(text),
            Cell::Bool(value) => Some(value.to_string()),
        })
    }

    /// A uuid that must be there.
    pub(crate) fn uuid(&mut self) -> Result<Uuid, String> {
        let (column, cell) = self.next()?;
        match cell {
            Cell::Text(text) => Uuid::try_parse(&text)
                .map_err(|_| format!("{column} is {:?}, which is no uuid", shown(&text))),
            other => Err(format!("{column} is {} instead of a uuid", other.kind())),
        }
    }

    /// A uuid that may be absent: null, empty, or the nil uuid that PostHog puts in its place.
    pub(crate) fn optional_uuid(&mut self) -> Result<Option<Uuid>, String> {
        let (column, cell) = self.next()?;
        match cell {
            Cell::Null => Ok(None),
            Cell::Text(text) if text.is_empty() => Ok(None),
            Cell::Text(text) => Uuid::try_parse(&text)
                .map(|uuid| (!uuid.is_nil()).then_some(uuid))
                .map_err(|_| format!("{column} is {:?}, which is no uuid", shown(&text))),
            other => Err(format!("{column} is {} instead of a uuid", other.kind())),
        }
    }

    /// An instant.
    pub(crate) fn instant(&mut self) -> Result<Timestamp, String> {
        self.time(instant::parse)
    }

    /// A UTC day.
    pub(crate) fn day(&mut self) -> Result<Date, String> {
        self.time(instant::parse_day)
    }

    fn time<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let (column, cell) = self.next()?;
        match cell {
            Cell::Text(text) => parse(&text).ok_or_else(|| {
                format!(
                    "{column} is {:?}, which is no time that can be kept",
                    shown(&text)
                )
            }),
            other => Err(format!("{column} is {} instead of a time", other.kind())),
        }
    }

    /// A count. ClickHouse may write 64-bit numbers as texts.
    pub(crate) fn count(&mut self) -> Result<u64, String> {
        let (column, cell) = self.next()?;
        match cell {
            Cell::Number(text) | Cell::Text(text) => text
                .parse()
                .map_err(|_| format!("{column} is no whole number of 0 or more")),
            other => Err(format!("{column} is {} instead of a number", other.kind())),
        }
    }
}

/// The beginning of a text that is short when it is right.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
