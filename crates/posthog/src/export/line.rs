//! One line of an export's file, read without keeping what is not wanted of it.
//!
//! Its fields are those of PostHog's S3 exports: uuid, event, distinct_id, person_id, timestamp,
//! created_at, elements_chain, properties and more (PostHog/posthog, `products/batch_exports/backend/
//! temporal/destinations/s3_batch_export.py` s3_default_fields). `properties` is an object; a text of
//! one is taken too, for that is what PostHog's table has.

use std::fmt;

use domain::Event;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::ExportColumns;
use super::value;
use crate::answer::{Cell, Row};
use crate::event_row;

/// The event of a line. It is what a query's row is read to: absent fields are null.
pub(super) fn read(
    line: &[u8],
    columns: &ExportColumns,
    cells: &mut Vec<Cell>,
) -> Result<Event, String> {
    cells.clear();
    cells.resize(columns.names().len(), Cell::Null);
    let mut json = serde_json::Deserializer::from_slice(line);
    let read = Line { columns, cells }
        .deserialize(&mut json)
        .and_then(|()| json.end());
    // serde's own message may quote customers' data.
    read.map_err(|error| format!("it is not the expected JSON at column {}", error.column()))?;
    let mut row = Row::new(cells, columns.names(), true);
    event_row::read(&mut row, columns.id_properties(), columns.elements())
}

struct Line<'a> {
    columns: &'a ExportColumns,
    cells: &'a mut [Cell],
}

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Line<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { columns, cells } = self;
        while let Some(key) = map.next_key::<String>()? {
            if key == "properties" {
                map.next_value_seed(Properties { columns, cells })?;
            } else if let Some(cell) = columns.field(&key).and_then(|at| cells.get_mut(at)) {
                *cell = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Properties<'a> {
    columns: &'a ExportColumns,
    cells: &'a mut [Cell],
}

impl<'de> DeserializeSeed<'de> for Properties<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Properties<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    /// What is no JSON object has no properties in HogQL either.
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let mut cells = self.cells.to_vec();
        let inner = Properties {
            columns: self.columns,
            cells: &mut cells,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        if inner
            .deserialize(&mut json)
            .and_then(|()| json.end())
            .is_ok()
        {
            self.cells.clone_from_slice(&cells);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { columns, cells } = self;
        while let Some(key) = map.next_key::<String>()? {
            let wanted = columns.property(&key);
            if wanted.is_empty() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let json: &RawValue = map.next_value()?;
            let text = value::text(json).map_err(A::Error::custom)?;
            for &at in wanted {
                if let Some(cell) = cells.get_mut(at) {
                    *cell = text
                        .as_deref()
                        .map_or(Cell::Null, |text| columns.cell(at, text));
                }
            }
        }
        Ok(())
    }
}
