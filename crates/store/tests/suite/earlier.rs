//! What an earlier version of the program left, brought up to date.

use domain::storage::Purge;

use super::Database;
use super::fixtures::{Site, desired, event, hours};

/// Undoes what has come to the schema since version 2, but for what each database has of its own.
pub(crate) const BACK_TO_VERSION_2: &str = "
    DROP INDEX events_by_session;
    DROP TABLE clickmap_days_due;
    DROP TABLE clickmap_pages;
    DROP TABLE clickmap_elements;
    DROP TABLE clickmap_labels;
    ALTER TABLE events DROP COLUMN event_type;
    ALTER TABLE epochs DROP COLUMN clickmap;
    ALTER TABLE epochs DROP COLUMN clickmap_rules;
    ALTER TABLE epochs DROP COLUMN clickmap_time_zone;
    DROP INDEX connections_by_purge;
    DROP INDEX epochs_by_connection;
    DROP INDEX epochs_condemned;
    ALTER TABLE connections DROP COLUMN purge_at;
    ALTER TABLE epochs DROP COLUMN namespace;
    ALTER TABLE epochs DROP COLUMN name;
    ALTER TABLE epochs DROP COLUMN condemned;
    DROP INDEX person_links_ended;
    DROP TABLE identity_conflicts;
    ALTER TABLE epochs DROP COLUMN conflicts_known;
    DROP TABLE identity_fact_changes;
    ALTER TABLE runs DROP COLUMN way;
    DROP INDEX runs_by_mode;
    DROP INDEX runs_open;
    DROP INDEX event_deletions_by_time;
    DROP INDEX budget_requests_by_age;
    ALTER TABLE epochs DROP COLUMN facts_known_from;
    ALTER TABLE epochs DROP COLUMN persons_began_at;
    ALTER TABLE epochs DROP COLUMN persons_reached;
    ALTER TABLE epochs DROP COLUMN persons_paused_until;
    DROP TABLE erased_ids;
    DROP TABLE erased_persons;
    DROP TABLE erased_events;
    DROP TABLE erasure_key;
    ALTER TABLE epochs DROP COLUMN erasures;
    ALTER TABLE day_verdicts DROP COLUMN erased;
    DROP TABLE cohorts;
    DROP TABLE cohort_members;
    DROP TABLE cohort_buckets;
    DROP TABLE cohort_histories;";

/// Fills the database, lets `back` make it what version 2 of the schema had, and opens it again.
/// Nobody had said then what is to become of a deleted connection's rows: they stay until somebody does.
pub(crate) async fn rows_are_kept(database: &dyn Database, back: impl AsyncFnOnce()) {
    let mut site = Site::new(database).await;
    let seen = event(1, "a", "d", hours(1));
    site.store(std::slice::from_ref(&seen)).await;
    let wanted = desired("acme", "shop", 7);
    let moved = desired("acme", "shop", 8);
    site.store.put_connection(&moved, hours(1)).await.unwrap();
    drop(site);
    back().await;

    let store = database.open().await;
    let late = hours(24 * 365);
    store.mark_deleted(&wanted.name, hours(2)).await.unwrap();
    let kept = store.purge_connection(&wanted.name, late).await.unwrap();
    assert_eq!(kept, Purge::Kept { until: None });
    store.put_connection(&moved, hours(3)).await.unwrap();
    store.mark_deleted(&wanted.name, hours(4)).await.unwrap();
    let purged = store.purge_connection(&wanted.name, late).await.unwrap();
    assert_eq!(purged, Purge::Done { events: 1 });
}
