//! The query for the rows of a slice.

use domain::sync::{Slice, SliceCursor, SliceEvents};
use serde_json::{Value, json};

use super::{IdColumns, PageColumn, Query, QueryName, aliased};
use crate::instant::bound;

/// `(expression, column)` of what every slice reads, in the order that [`crate::row`] expects.
/// Ids and figures that PostHog may have typed as numbers are turned to text; a property column that
/// PostHog has materialised is cheaper than the whole of `properties`, so each is named singly.
pub(crate) const FIXED_COLUMNS: [(&str, &str); 28] = [
    ("uuid", "uuid"),
    ("event", "event"),
    ("distinct_id", "distinct_id"),
    ("person_id", "person_id"),
    ("timestamp", "timestamp"),
    ("created_at", "created_at"),
    ("$session_id", "$session_id"),
    ("$window_id", "$window_id"),
    ("properties.$current_url", "current_url"),
    ("properties.$host", "page_host"),
    ("properties.$pathname", "page_path"),
    ("properties.$referrer", "referrer"),
    ("properties.utm_source", "utm_source"),
    ("properties.utm_medium", "utm_medium"),
    ("properties.utm_campaign", "utm_campaign"),
    ("properties.utm_content", "utm_content"),
    ("properties.utm_term", "utm_term"),
    ("properties.$device_type", "device_type"),
    // Empty but for autocapture's events, and then next to no bytes for ClickHouse to read.
    ("elements_chain", "elements_chain"),
    ("properties.$event_type", "event_type"),
    ("toString(properties.$anon_distinct_id)", "anon_distinct_id"),
    ("toString(properties.alias)", "alias_id"),
    ("toString(properties.product_id)", "product_id"),
    ("toString(properties.sku)", "sku"),
    ("toString(properties.price)", "price"),
    ("properties.currency", "currency"),
    ("toString(properties.quantity)", "quantity"),
    ("toString(properties.cart_id)", "cart_id"),
];

/// The columns that tell what was clicked, which are left out where nobody wants to know.
const ELEMENT_COLUMNS: [&str; 2] = ["elements_chain", "event_type"];

/// The rows of a slice after a place in it, ordered by (timestamp, text of uuid). Time and event
/// lead PostHog's sort key, so a slice reads little beyond its rows; ranges of the hash split a cell
/// of one day and event by the key's next part.
pub(crate) fn page(
    slice: &Slice,
    after: Option<SliceCursor>,
    id_columns: &IdColumns,
    elements: bool,
    limit: usize,
) -> Query {
    let mut select: Vec<String> = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    let wanted = |column: &str| elements || !ELEMENT_COLUMNS.contains(&column);
    for (expression, column) in FIXED_COLUMNS.into_iter().filter(|(_, name)| wanted(name)) {
        select.push(aliased(expression, column));
        columns.push(column.to_owned());
    }
    for (expression, column) in id_columns.expressions() {
        select.push(aliased(&expression, &column));
        columns.push(column);
    }
    let (conditions, values) = conditions(slice, after);
    Query {
        name: QueryName::Page,
        text: format!(
            "select {} from events where {} order by timestamp, toString(uuid) limit {limit}",
            select.join(", "),
            conditions.join(" and "),
        ),
        values: values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        columns,
        limit,
    }
}

/// The columns of [`page`], in its order, taken apart.
pub(crate) fn page_columns(id_columns: &IdColumns, elements: bool) -> Vec<PageColumn> {
    let fixed = FIXED_COLUMNS
        .into_iter()
        .filter(|(_, name)| elements || !ELEMENT_COLUMNS.contains(name))
        .map(|(expression, name)| {
            let inner = expression
                .strip_prefix("toString(")
                .and_then(|inner| inner.strip_suffix(')'));
            let bare = inner.unwrap_or(expression);
            // PostHog has made columns of these two, named like the properties that they are of.
            let own = bare.starts_with('$').then_some(bare);
            PageColumn {
                name: name.to_owned(),
                property: bare.strip_prefix("properties.").or(own).map(str::to_owned),
                is_text: inner.is_some(),
                bare: bare.to_owned(),
            }
        });
    let ids = id_columns.bare().map(|(property, bare, name)| PageColumn {
        name,
        property: Some(property.to_owned()),
        is_text: true,
        bare,
    });
    fixed.chain(ids).collect()
}

fn conditions(
    slice: &Slice,
    after: Option<SliceCursor>,
) -> (Vec<&'static str>, Vec<(&'static str, Value)>) {
    let mut conditions = vec![
        "timestamp >= toDateTime({from}, 'UTC')",
        "timestamp < toDateTime({to}, 'UTC')",
    ];
    // Within a slice the time bound moves along with the cursor, which spares reading what is done.
    let from = after.map_or(slice.from, |place| place.timestamp.max(slice.from));
    let mut values = vec![("from", bound(from).into()), ("to", bound(slice.to).into())];
    if let SliceEvents::Named(names) = &slice.events {
        conditions.push("event in {events}");
        values.push(("events", json!(names)));
    }
    if let Some(since) = slice.arrived_since {
        conditions.push("created_at >= toDateTime({arrived_since}, 'UTC')");
        values.push(("arrived_since", bound(since).into()));
    }
    if let Some(part) = slice.part.filter(|part| part.of > 1) {
        // PostHog prints the comparisons within `ifNull`, through which older ClickHouse does not
        // see its sort key; within `indexHint` it prints them bare.
        conditions.push(
            "indexHint(cityHash64(distinct_id) >= {hash_from} \
             and cityHash64(distinct_id) <= {hash_to}) \
             and cityHash64(distinct_id) >= {hash_from} and cityHash64(distinct_id) <= {hash_to}",
        );
        let hashes = part.hashes();
        values.push(("hash_from", (*hashes.start()).into()));
        values.push(("hash_to", (*hashes.end()).into()));
    }
    if let Some(place) = after {
        conditions.push(
            "(timestamp > toDateTime({after_time}, 'UTC') \
             or (timestamp = toDateTime({after_time}, 'UTC') and toString(uuid) > {after_uuid}))",
        );
        values.push(("after_time", bound(place.timestamp).into()));
        values.push(("after_uuid", place.uuid.to_string().into()));
    }
    (conditions, values)
}
