//! The walk through an answer's JSON.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use super::cell::Cell;
use super::row::Row;
use crate::error::Error;

/// An answer while it is read.
pub(super) struct Answer<'a, P> {
    columns: &'a [String],
    limit: usize,
    each: P,
    cells: Vec<Cell>,
    rows: usize,
    has_results: bool,
    has_columns: bool,
    error: Option<String>,
    /// Whether PostHog says that it did not compute the answer now.
    pub(super) is_cached: bool,
    /// What is wrong with it, in words that can be shown.
    pub(super) problem: Option<String>,
}

impl<'a, P> Answer<'a, P> {
    pub(super) fn new(columns: &'a [String], limit: usize, each: P) -> Self {
        Self {
            columns,
            limit,
            each,
            cells: Vec::with_capacity(columns.len()),
            rows: 0,
            has_results: false,
            has_columns: false,
            error: None,
            is_cached: false,
            problem: None,
        }
    }

    /// Whether it is an answer after all, once its JSON has been read to the end.
    pub(super) fn finish(self, request: &str) -> Result<(), Error> {
        if let Some(detail) = self.error {
            return Err(Error::QueryRejected {
                code: "error".to_owned(),
                detail,
            });
        }
        let missing = if !self.has_results {
            "results"
        } else if !self.has_columns {
            "columns"
        } else {
            return Ok(());
        };
        Err(Error::Malformed {
            request: request.to_owned(),
            reason: format!("it has no {missing}"),
        })
    }

    fn fail<E: serde::de::Error>(&mut self, problem: String) -> E {
        self.problem = Some(problem);
        E::custom("")
    }

    fn check_columns<E: serde::de::Error>(&mut self, given: Option<Vec<String>>) -> Result<(), E> {
        let Some(given) = given else { return Ok(()) };
        if given != self.columns {
            let asked = self.columns.join(", ");
            let got: String = given.join(", ").chars().take(400).collect();
            return Err(self.fail(format!("it has the columns {got} instead of {asked}")));
        }
        self.has_columns = true;
        Ok(())
    }
}

impl<'de, P> DeserializeSeed<'de> for &mut Answer<'_, P>
where
    P: FnMut(&mut Row<'_>) -> Result<(), String>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, P> Visitor<'de> for &mut Answer<'_, P>
where
    P: FnMut(&mut Row<'_>) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query's answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "results" if self.has_results => {
                    return Err(self.fail("it has results twice".to_owned()));
                }
                "results" => map.next_value_seed(Rows(self))?,
                "columns" => {
                    let given = map.next_value()?;
                    self.check_columns(given)?;
                }
                "error" => {
                    self.error = match map.next_value::<Option<Value>>()? {
                        Some(Value::String(text)) if text.is_empty() => None,
                        Some(Value::String(text)) => Some(text.chars().take(300).collect()),
                        Some(other) => Some(other.to_string().chars().take(300).collect()),
                        None => None,
                    };
                }
                "is_cached" => {
                    self.is_cached = map.next_value::<Value>()? == Value::Bool(true);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// `results`: an array of rows, or null where there is an error instead.
struct Rows<'r, 'a, P>(&'r mut Answer<'a, P>);

impl<'de, P> DeserializeSeed<'de> for Rows<'_, '_, P>
where
    P: FnMut(&mut Row<'_>) -> Result<(), String>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, P> Visitor<'de> for Rows<'_, '_, P>
where
    P: FnMut(&mut Row<'_>) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let answer = self.0;
        answer.has_results = true;
        while seq.next_element_seed(Cells(&mut answer.cells))?.is_some() {
            answer.rows += 1;
            let number = answer.rows;
            if number > answer.limit {
                let limit = answer.limit;
                return Err(answer.fail(format!("it has more rows than the limit of {limit}")));
            }
            let (got, asked) = (answer.cells.len(), answer.columns.len());
            if got != asked {
                return Err(
                    answer.fail(format!("row {number} has {got} values instead of {asked}"))
                );
            }
            let mut row = Row::new(&mut answer.cells, answer.columns, answer.has_columns);
            let taken = (answer.each)(&mut row);
            drop(row);
            if let Err(problem) = taken {
                return Err(answer.fail(format!("row {number}: {problem}")));
            }
        }
        Ok(())
    }
}

/// One row, into a buffer that is used again for the next.
struct Cells<'a>(&'a mut Vec<Cell>);

impl<'de> DeserializeSeed<'de> for Cells<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Cells<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        /// More values than any query here asks for.
        const MOST: usize = 1_000;
        self.0.clear();
        while let Some(cell) = seq.next_element()? {
            if self.0.len() == MOST {
                return Err(A::Error::custom("a row without end"));
            }
            self.0.push(cell);
        }
        Ok(())
    }
}
