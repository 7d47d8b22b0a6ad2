//! Which columns an event is made of, where each stands in a line of an export, and how HogQL would
//! have turned it to what a query answers.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::answer::Cell;
use crate::clickhouse_text::push_float;
use crate::error::Error;
use crate::queries::{IdColumns, PageColumn};

/// How PostHog's property definitions have HogQL cast a property
/// (`posthog/hogql/transforms/property_types.py`, 001984470035).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not at all: it is its JSON's text.
    Text,
    /// To a float, NULL where the text is none.
    Float,
    /// To a truth value, NULL where the text is neither `true` nor `false`.
    Bool,
}

/// Where a column's value stands in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The field of the line with the column's own name.
    Field,
    /// A property.
    Property {
        kind: Kind,
        /// Whether queries ask for its text.
        is_text: bool,
    },
}

/// The columns of an export's events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ExportColumns(Arc<Columns>);

#[derive(Debug)]
struct Columns {
    names: Vec<String>,
    places: Vec<Place>,
    /// The columns of each field of a line, and of each property.
    fields: HashMap<String, usize>,
    properties: HashMap<String, Vec<usize>>,
    id_properties: Vec<String>,
    elements: bool,
}

impl ExportColumns {
    /// The columns of a page's query. `types` are ClickHouse's of those that are properties, by column,
    /// where HogQL is asked for them as they are.
    ///
    /// # Errors
    /// [`Error::ExportColumn`] for a property of which a line does not tell what a query would answer.
    pub(crate) fn of(
        page: &[PageColumn],
        ids: &IdColumns,
        elements: bool,
        types: &HashMap<String, String>,
    ) -> Result<Self, Error> {
        let mut columns = Columns {
            names: Vec::new(),
            places: Vec::new(),
            fields: HashMap::new(),
            properties: HashMap::new(),
            id_properties: ids.properties().map(str::to_owned).collect(),
            elements,
        };
        for (at, column) in page.iter().enumerate() {
            let place = match &column.property {
                None => {
                    columns.fields.insert(column.name.clone(), at);
                    Place::Field
                }
                Some(property) => {
                    let known = columns.properties.entry(property.clone()).or_default();
                    known.push(at);
                    Place::Property {
                        kind: kind(property, types.get(&column.name))?,
                        is_text: column.is_text,
                    }
                }
            };
            columns.places.push(place);
            columns.names.push(column.name.clone());
        }
        Ok(Self(Arc::new(columns)))
    }

    /// The names, in the order in which an event is read.
    pub(super) fn names(&self) -> &[String] {
        &self.0.names
    }

    /// The column of a field of a line.
    pub(super) fn field(&self, name: &str) -> Option<usize> {
        self.0.fields.get(name).copied()
    }

    /// The columns of a property.
    pub(super) fn property(&self, name: &str) -> &[usize] {
        self.0.properties.get(name).map_or(&[], Vec::as_slice)
    }

    /// What a query answers in that column for a property of this text.
    pub(super) fn cell(&self, at: usize, text: &str) -> Cell {
        let Some(Place::Property { kind, is_text }) = self.0.places.get(at) else {
            return Cell::Null;
        };
        match kind {
            Kind::Text => Cell::Text(text.to_owned()),
            Kind::Bool => text.parse().map_or(Cell::Null, Cell::Bool),
            Kind::Float => text
                .parse()
                .map_or(Cell::Null, |number| float(number, *is_text)),
        }
    }

    pub(super) fn id_properties(&self) -> &[String] {
        &self.0.id_properties
    }

    pub(super) fn elements(&self) -> bool {
        self.0.elements
    }
}

/// A float as ClickHouse makes a text of it, or else as PostHog's renderer makes JSON of it.
fn float(number: f64, is_text: bool) -> Cell {
    if is_text {
        let mut text = String::new();
        push_float(number, &mut text);
        Cell::Text(text)
    } else if number.is_finite() {
        Cell::Number(number.to_string())
    } else {
        Cell::Null
    }
}

fn kind(property: &str, clickhouse_type: Option<&String>) -> Result<Kind, Error> {
    let full = clickhouse_type.map_or("unknown", String::as_str);
    let bare = full
        .strip_prefix("Nullable(")
        .and_then(|inner| inner.strip_suffix(')'))
        .unwrap_or(full);
    match bare {
        "String" => Ok(Kind::Text),
        "Float64" => Ok(Kind::Float),
        "Bool" => Ok(Kind::Bool),
        _ => Err(Error::ExportColumn {
            property: property.to_owned(),
            kind: full.chars().take(60).collect(),
        }),
    }
}

/// What an answer says of its columns' types: pairs of column and type (POSTHOG.md 5.3).
pub(crate) fn types_of(pairs: Vec<Value>) -> HashMap<String, String> {
    pairs
        .into_iter()
        .filter_map(|pair| {
            let column = pair.get(0)?.as_str()?.to_owned();
            Some((column, pair.get(1)?.as_str()?.to_owned()))
        })
        .collect()
}
