//! Of which types PostHog has a page's columns, for whoever must come to the same without a query.

use domain::sync::Window;

use super::events::page_columns;
use super::{IdColumns, Query, QueryName, aliased};
use crate::instant::bound;

/// A column of a page, and the property that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageColumn {
    /// Its name in the answer.
    pub(crate) name: String,
    /// The property that it is; none for what events have besides.
    pub(crate) property: Option<String>,
    /// Whether a page asks for its text, whatever its type.
    pub(crate) is_text: bool,
    /// What is asked for to learn its type.
    pub(super) bare: String,
}

/// The properties of a page as they are: what counts in the answer are its types, which it has with
/// or without a row.
pub(crate) fn property_types(window: Window, id_columns: &IdColumns, elements: bool) -> Query {
    let columns = page_columns(id_columns, elements);
    let columns = columns.iter().filter(|column| column.property.is_some());
    let (select, names): (Vec<String>, Vec<&str>) = columns
        .map(|column| (aliased(&column.bare, &column.name), column.name.as_str()))
        .unzip();
    Query::new(
        QueryName::PropertyTypes,
        &names,
        1,
        format!(
            "select {} from events \
             where timestamp >= toDateTime({{from}}, 'UTC') and timestamp < toDateTime({{to}}, 'UTC') \
             order by timestamp, toString(uuid) limit 1",
            select.join(", "),
        ),
        vec![
            ("from", bound(window.from).into()),
            ("to", bound(window.to).into()),
        ],
    )
}
