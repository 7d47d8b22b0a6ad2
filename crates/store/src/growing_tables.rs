//! Tables that grow with events, persons or time, in every store alike: one transaction that removes
//! an epoch's rows of one of them may be too long for any timeout, so they go in batches.

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing {
    /// Its name.
    pub(crate) name: &'static str,
    /// By what SQLite finds a row: its `rowid` where it has one, else the columns that tell an epoch's
    /// rows apart, a blob first where there is one, for the first decides which columns of an index are
    /// used (all for a blob, else those of its kind).
    pub(crate) key: &'static str,
}

const fn table(name: &'static str, key: &'static str) -> Growing {
    Growing { name, key }
}

/// Stored events.
pub(crate) const EVENTS: Growing = table("events", "rowid");

/// What clickmaps are kept in; each row has the number of its clickmaps.
pub(crate) const CLICKMAPS: [Growing; 3] = [
    table("clickmap_pages", "clickmap, day, page, device"),
    table("clickmap_elements", "element, clickmap, page, device, day"),
    table("clickmap_labels", "element, clickmap, page, day"),
];

/// All others.
pub(crate) const OTHERS: [Growing; 14] = [
    table("event_deletions", "uuid"),
    table("daily_event_counts", "rollup, day, event"),
    table("daily_stage_counts", "rollup, day, stage, event"),
    table("event_definitions", "name"),
    table("identity_facts", "distinct_id, property, value"),
    table("identity_fact_changes", "distinct_id, property, value"),
    table("identity_conflicts", "person_id"),
    table("person_links", "rowid"),
    table("cohort_members", "entered_seq"),
    table("cohort_buckets", "cohort, bucket"),
    table("erased_ids", "hash"),
    table("erased_persons", "person_id"),
    table("erased_events", "uuid"),
    table("runs", "rowid"),
];
