//! Every HogQL text that this client sends, one function a text. A text is fixed words and
//! placeholders; what varies is bound through `values`, so no data is ever part of a text.
//!
//! Traps that all of them keep clear of (POSTHOG.md 5): an explicit LIMIT, never OFFSET; bounds as
//! `toDateTime({…}, 'UTC')`; days as `toStartOfDay(timestamp, 'UTC')`, which no project setting can
//! move; uuids compared as text, because native UUID order differs from it; and no space missing
//! after `<`, where HogQL would begin a tag.

mod cohorts;
mod events;
mod identifier;
mod types;

use domain::event::EventName;
use domain::identity::{IdProperty, IdPropertyKind};
use domain::sync::{Arrivals, Slice, SliceCursor, SliceEvents, SlicePart, Window};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(crate) use self::cohorts::{bucket_digests, bucket_members, cohort_digests, cohort_members};
pub(crate) use self::events::{page, page_columns};
pub(crate) use self::identifier::IdColumns;
pub(crate) use self::types::{PageColumn, property_types};
use crate::client::MAX_ROWS;
use crate::instant::{bound, day_bound};

/// The most `$pageview` URLs that one look for product pages returns.
pub(crate) const MAX_PRODUCT_URLS: usize = 1_000;

/// What PostHog's query log and our own call a query. Each has its texts in [`all_texts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[cfg_attr(test, derive(strum::EnumIter))]
#[strum(serialize_all = "snake_case")]
pub(crate) enum QueryName {
    LatestEvent,
    KnownEvents,
    ProductPageUrls,
    CountCells,
    Recount,
    UuidsOfDay,
    PersonsOf,
    PersonOverrides,
    PersonMappings,
    Page,
    CohortDigests,
    BucketDigests,
    CohortMembers,
    BucketMembers,
    PropertyTypes,
}

/// One query as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// What it is called.
    pub(crate) name: QueryName,
    /// The HogQL text.
    pub(crate) text: String,
    /// What its placeholders are bound to.
    pub(crate) values: Map<String, Value>,
    /// The columns its answer must have, in order.
    pub(crate) columns: Vec<String>,
    /// Its LIMIT: an answer of so many rows may not be all.
    pub(crate) limit: usize,
}

impl Query {
    /// Its name, as a text.
    pub(crate) fn name(&self) -> &'static str {
        self.name.into()
    }

    fn new(
        name: QueryName,
        columns: &[&str],
        limit: usize,
        text: String,
        values: Vec<(&str, Value)>,
    ) -> Self {
        Self {
            name,
            text,
            values: values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            limit,
        }
    }
}

fn aliased(expression: &str, column: &str) -> String {
    if expression == column {
        expression.to_owned()
    } else {
        format!("{expression} as {column}")
    }
}

/// The newest event of a range, both ends included. One row by descending time lets ClickHouse stop
/// at the newest days, as long as the range is small; so the caller widens it step by step.
pub(crate) fn latest_event(from: Timestamp, until: Timestamp) -> Query {
    Query::new(
        QueryName::LatestEvent,
        &["event", "timestamp"],
        1,
        "select event, timestamp from events \
         where timestamp >= toDateTime({from}, 'UTC') and timestamp <= toDateTime({until}, 'UTC') \
         order by timestamp desc, event limit 1"
            .to_owned(),
        vec![("from", bound(from).into()), ("until", bound(until).into())],
    )
}

/// Rows by event name: reads the narrow columns of the sort key only. Names are ordered so that a
/// project with more than a full answer of them is read on after the last.
pub(crate) fn known_events(
    from: Timestamp,
    to: Timestamp,
    after: Option<&str>,
    limit: usize,
) -> Query {
    let place = if after.is_some() {
        " and event > {after}"
    } else {
        ""
    };
    let mut values = vec![("from", bound(from).into()), ("to", bound(to).into())];
    values.extend(after.map(|after| ("after", after.into())));
    Query::new(
        QueryName::KnownEvents,
        &["event", "row_count"],
        limit,
        format!(
            "select event, count() as row_count from events \
             where timestamp >= toDateTime({{from}}, 'UTC') \
             and timestamp < toDateTime({{to}}, 'UTC'){place} \
             group by event order by event limit {limit}"
        ),
        values,
    )
}

/// The most viewed URLs with `/products/` in them. The only query here that reads properties to
/// filter by them, so callers ask it rarely and over a short range.
pub(crate) fn product_page_urls(from: Timestamp, to: Timestamp) -> Query {
    Query::new(
        QueryName::ProductPageUrls,
        &["url", "row_count"],
        MAX_PRODUCT_URLS,
        format!(
            "select properties.$current_url as url, count() as row_count from events \
             where timestamp >= toDateTime({{from}}, 'UTC') \
             and timestamp < toDateTime({{to}}, 'UTC') \
             and event = {{event}} and properties.$current_url ilike {{pattern}} \
             group by url order by row_count desc, url limit {MAX_PRODUCT_URLS}"
        ),
        vec![
            ("from", bound(from).into()),
            ("to", bound(to).into()),
            ("event", "$pageview".into()),
            ("pattern", "%/products/%".into()),
        ],
    )
}

/// The day and event of the last cell of a full answer, after which the next one goes on.
pub(crate) type CellPlace<'a> = (Date, &'a str);

/// Rows by UTC day and event. Late arrivals are counted in the same query: it looks back as far as
/// they reach, and of what lies before the window takes only rows that came in lately. Reads
/// timestamp, event and (only with arrivals) `created_at`.
pub(crate) fn count_cells(
    window: Window,
    arrivals: Option<Arrivals>,
    after: Option<CellPlace<'_>>,
    limit: usize,
) -> Query {
    let mut from = bound(
        window
            .from
            .min(arrivals.map_or(window.from, |late| late.from)),
    );
    let mut values = vec![("to", bound(window.to).into())];
    let mut conditions = String::new();
    if let Some(late) = arrivals {
        conditions.push_str(
            " and (timestamp >= toDateTime({window_from}, 'UTC') \
             or created_at >= toDateTime({arrived_since}, 'UTC'))",
        );
        values.push(("window_from", bound(window.from).into()));
        values.push(("arrived_since", bound(late.since).into()));
    }
    if let Some((day, event)) = after {
        // Rows of earlier days are told already, those of this day up to this event.
        from = from.max(day_bound(day));
        conditions
            .push_str(" and (timestamp >= toDateTime({next_day}, 'UTC') or event > {after_event})");
        values.push((
            "next_day",
            day_bound(day.tomorrow().unwrap_or(Date::MAX)).into(),
        ));
        values.push(("after_event", event.into()));
    }
    values.push(("from", from.into()));
    Query::new(
        QueryName::CountCells,
        &["utc_day", "event", "row_count"],
        limit,
        format!(
            "select toStartOfDay(timestamp, 'UTC') as utc_day, event, count() as row_count \
             from events where timestamp >= toDateTime({{from}}, 'UTC') \
             and timestamp < toDateTime({{to}}, 'UTC'){conditions} \
             group by utc_day, event order by utc_day, event limit {limit}"
        ),
        values,
    )
}

/// Distinct events by UTC day: of the rows of one uuid only the winner counts, on the winner's day.
/// The range is padded by a day on both sides, so that a row beyond its edge can win. The inner
/// query's rows, one a uuid, stay in PostHog.
pub(crate) fn recount(from: Date, to: Date) -> Query {
    Query::new(
        QueryName::Recount,
        &["utc_day", "event_count"],
        MAX_ROWS,
        format!(
            "select utc_day, count() as event_count from ({}) \
             where utc_day >= toDateTime({{from}}, 'UTC') and utc_day < toDateTime({{to}}, 'UTC') \
             group by utc_day order by utc_day limit {MAX_ROWS}",
            winners("")
        ),
        vec![
            ("from", day_bound(from).into()),
            ("to", day_bound(to).into()),
            (
                "padded_from",
                day_bound(from.yesterday().unwrap_or(from)).into(),
            ),
            ("padded_to", day_bound(to.tomorrow().unwrap_or(to)).into()),
        ],
    )
}

/// The uuids whose winning row lies on a UTC day, in text order.
pub(crate) fn uuids_of_day(day: Date, after: Option<Uuid>, limit: usize) -> Query {
    let next = day.tomorrow().unwrap_or(day);
    let place = if after.is_some() {
        " and toString(uuid) > {after}"
    } else {
        ""
    };
    let mut values = vec![
        ("day", day_bound(day).into()),
        (
            "padded_from",
            day_bound(day.yesterday().unwrap_or(day)).into(),
        ),
        (
            "padded_to",
            day_bound(next.tomorrow().unwrap_or(next)).into(),
        ),
    ];
    values.extend(after.map(|after| ("after", after.to_string().into())));
    Query::new(
        QueryName::UuidsOfDay,
        &["uuid_text"],
        limit,
        format!(
            "select toString(uuid) as uuid_text from ({}) \
             where utc_day = toDateTime({{day}}, 'UTC') order by uuid_text limit {limit}",
            winners(place)
        ),
        values,
    )
}

/// The winning row's day of each uuid, by the rule of [`domain::event::Event::precedence`].
fn winners(place: &str) -> String {
    format!(
        "select uuid, argMax(toStartOfDay(timestamp, 'UTC'), \
         tuple(created_at, timestamp, event, distinct_id)) as utc_day from events \
         where timestamp >= toDateTime({{padded_from}}, 'UTC') \
         and timestamp < toDateTime({{padded_to}}, 'UTC'){place} group by uuid"
    )
}

const MAPPING_COLUMNS: [&str; 2] = ["distinct_id", "person_id"];

/// The persons of given distinct ids. PostHog itself binds arrays to `in` this way.
pub(crate) fn persons_of(distinct_ids: &[String]) -> Query {
    Query::new(
        QueryName::PersonsOf,
        &MAPPING_COLUMNS,
        MAX_ROWS,
        format!(
            "select distinct_id, person_id from person_distinct_ids \
             where distinct_id in {{distinct_ids}} order by distinct_id limit {MAX_ROWS}"
        ),
        vec![("distinct_ids", json!(distinct_ids))],
    )
}

/// Ids that merges moved. Rows vanish when PostHog's squash job has rewritten the events, so this is
/// a list of what moved of late, never a log.
pub(crate) fn person_overrides(after: &str, limit: usize) -> Query {
    mappings(
        QueryName::PersonOverrides,
        "person_distinct_id_overrides",
        after,
        limit,
    )
}

/// All ids with their persons. The table has no time column, so it can only be read whole.
pub(crate) fn person_mappings(after: &str, limit: usize) -> Query {
    mappings(
        QueryName::PersonMappings,
        "person_distinct_ids",
        after,
        limit,
    )
}

/// Keyset by distinct id; nothing sorts before the empty text, and no id is empty.
fn mappings(name: QueryName, table: &str, after: &str, limit: usize) -> Query {
    Query::new(
        name,
        &MAPPING_COLUMNS,
        limit,
        format!(
            "select distinct_id, person_id from {table} where distinct_id > {{after}} \
             order by distinct_id limit {limit}"
        ),
        vec![("after", after.into())],
    )
}

/// Every text the client can send, by name, with example values: for tests that hold them against
/// PostHog's own parser.
pub fn all_texts() -> Vec<(String, String, Map<String, Value>)> {
    let to = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(500_000);
    let from = to - jiff::SignedDuration::from_hours(48);
    let window = Window { from, to };
    let late = Arrivals {
        from: from - jiff::SignedDuration::from_hours(720),
        since: from,
    };
    let (day, next) = (Date::constant(2027, 1, 14), Date::constant(2027, 1, 15));
    let ids = ["d-1".to_owned(), "d'2".to_owned()];
    let mut queries = vec![
        latest_event(from, to),
        known_events(from, to, None, MAX_ROWS),
        known_events(from, to, Some("product viewed"), MAX_ROWS),
        product_page_urls(from, to),
        recount(day, next),
        uuids_of_day(day, None, MAX_ROWS),
        uuids_of_day(day, Some(Uuid::max()), MAX_ROWS),
        persons_of(&ids),
        person_overrides("", MAX_ROWS),
        person_mappings("d-1", MAX_ROWS),
    ];
    for arrivals in [None, Some(late)] {
        for after in [None, Some((day, "$pageview"))] {
            queries.push(count_cells(window, arrivals, after, MAX_ROWS));
        }
    }
    queries.extend(example_pages(window));
    for elements in [true, false] {
        queries.push(property_types(window, &example_id_columns(), elements));
    }
    queries.extend(cohorts::examples());
    queries
        .into_iter()
        .map(|query| (query.name().to_owned(), query.text, query.values))
        .collect()
}

fn example_id_columns() -> IdColumns {
    IdColumns::of(
        &[
            "customer_id",
            "weird `name`",
            "back\\slash",
            "a.b",
            "número",
        ]
        .map(|property| IdProperty {
            kind: IdPropertyKind::Customer,
            property: property.to_owned(),
        }),
    )
    .unwrap_or_default()
}

fn example_pages(window: Window) -> Vec<Query> {
    let id_columns = example_id_columns();
    let whole = Slice {
        from: window.from,
        to: window.to,
        arrived_since: None,
        events: SliceEvents::All,
        part: None,
        expected_rows: 0,
        export: None,
    };
    let cursor = SliceCursor {
        timestamp: window.from,
        uuid: Uuid::max(),
    };
    let kinds = [
        SliceEvents::All,
        SliceEvents::Named(vec![EventName::from("product viewed")]),
    ];
    let mut pages = Vec::new();
    for events in kinds {
        for arrived_since in [None, Some(window.from)] {
            for part in [None, Some(SlicePart { index: 1, of: 3 })] {
                let slice = Slice {
                    events: events.clone(),
                    arrived_since,
                    part,
                    ..whole.clone()
                };
                for after in [None, Some(cursor)] {
                    for elements in [true, false] {
                        pages.push(page(&slice, after, &id_columns, elements, MAX_ROWS));
                    }
                }
            }
        }
    }
    pages
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn the_list_of_texts_has_some_of_every_query() {
        let texts = all_texts();
        for query in QueryName::iter() {
            let name: &str = query.into();
            assert!(texts.iter().any(|(listed, ..)| listed == name), "{name}");
        }
    }
}
