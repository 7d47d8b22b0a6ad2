//! What an earlier version of the program left, brought up to date.

use domain::storage::Purge;

use super::Database;
use super::fixtures::{Site, desired, event, hours};

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
