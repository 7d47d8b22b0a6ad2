//! Faults of the file that only the store's own connection can be given.

mod full_disk;
mod removal;

use std::time::Duration;

use domain::connection::ConnectionId;
use domain::storage::{ConnectionStore, EventFilter, EventReader, Lease, StoreError, SyncStore};
use jiff::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

use super::rows::values_sql;
use super::{SqliteStore, conflicts, events_remove, fact_losses, open, runs};
use crate::OpenOptions;
use crate::testing::shop;

async fn site() -> (TempDir, SqliteStore, ConnectionId, Lease) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path, &OpenOptions::default()).await.unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let id = store.put_connection(&shop(), now).await.unwrap().target;
    let minute = Duration::from_secs(60);
    let lease = store.acquire_lease(id, "test", minute).await.unwrap();
    (folder, store, id, lease)
}

#[tokio::test]
async fn stored_data_that_makes_no_sense_is_said_to_be_corrupt() {
    let (_folder, store, id, lease) = site().await;
    sqlx::query(
        "INSERT INTO events (epoch, uuid, timestamp, created_at, event, stage, change_seq, distinct_id)
         SELECT number, x'00', 1, 1, 'a', 77, 1, 'd' FROM epochs",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    let listed = store.events(id, &EventFilter::default(), None, 9).await;
    assert!(
        matches!(listed, Err(StoreError::Corrupt { .. })),
        "{listed:?}"
    );
    sqlx::query("UPDATE epochs SET mapping = 'not JSON'")
        .execute(&store.writer)
        .await
        .unwrap();
    let epoch = store.epoch(id).await;
    assert!(
        matches!(epoch, Err(StoreError::Corrupt { .. })),
        "{epoch:?}"
    );
    let removed = store.remove_events(&lease, &[Uuid::nil()]).await;
    assert!(
        matches!(removed, Err(StoreError::Corrupt { .. })),
        "{removed:?}"
    );
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_folder, store, ..) = site().await;
    let refused = sqlx::query("DELETE FROM connections")
        .execute(&store.readers)
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_count_of_a_span_reads_the_index_alone() {
    let (_folder, store, id, _) = site().await;
    let explained = format!("EXPLAIN QUERY PLAN {}", super::events_read::COUNT);
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(explained))
        .bind(id.0)
        .bind(1)
        .bind(2)
        .fetch_all(&store.readers)
        .await
        .unwrap();
    let reads = "SEARCH events USING COVERING INDEX events_by_time \
        (epoch=? AND timestamp>? AND timestamp<?)";
    assert_eq!(plan[0].3, reads, "{plan:?}");
}

/// Every list that may be long is read in its index's order, without sorting.
#[tokio::test]
async fn long_lists_are_read_without_sorting() {
    let (_folder, store, id, _) = site().await;
    for statement in [
        "SELECT rowid FROM events INDEXED BY events_by_name
         WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND event = 'a'
            AND (timestamp, uuid) > (1, x'00') ORDER BY timestamp, uuid LIMIT 9",
        "SELECT rowid FROM events INDEXED BY events_by_stage
         WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND stage = 1
            AND (timestamp, uuid) < (1, x'00') ORDER BY timestamp DESC, uuid DESC LIMIT 9",
        "SELECT DISTINCT distinct_id FROM events INDEXED BY events_by_distinct_id
         WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND distinct_id > 'a'
            AND created_at >= 1 ORDER BY distinct_id LIMIT 9",
        "SELECT link FROM person_links
         WHERE epoch = (SELECT number FROM epochs WHERE id = ?)
            AND (distinct_id, person_id, link) > ('a', x'00', 1)
         ORDER BY distinct_id, person_id, link LIMIT 9",
    ] {
        let plan: Vec<String> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "EXPLAIN QUERY PLAN {statement}"
        )))
        .bind(id.0)
        .fetch_all(&store.readers)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, _, _, detail): (i64, i64, i64, String)| detail)
        .collect();
        let plan = plan.join("\n");
        assert!(
            !plan.contains("TEMP B-TREE") && !plan.contains("SCAN events"),
            "{statement}\n{plan}"
        );
    }
}

/// A page of conflicts costs what its persons have.
#[tokio::test]
async fn conflicts_are_listed_without_a_look_at_all_links() {
    let (_folder, store, ..) = site().await;
    for after in [false, true] {
        let explained = format!("EXPLAIN QUERY PLAN {}", conflicts::list_sql_after(after));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(explained))
            .bind(1)
            .bind("[]")
            .bind(after.then_some(Uuid::nil()))
            .bind(9)
            .fetch_all(&store.readers)
            .await
            .unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.3).collect();
        let plan = plan.join("\n");
        for step in [
            "SEARCH c USING PRIMARY KEY (epoch=?",
            "INDEX person_links_of_person (epoch=? AND person_id=?)",
            "SEARCH f USING PRIMARY KEY (epoch=? AND distinct_id=? AND property=?)",
        ] {
            assert!(plan.contains(step), "{plan}");
        }
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

/// Neither the runs of years nor the tombstones of all that was removed are gone through in each run.
#[tokio::test]
async fn runs_and_expired_tombstones_are_found_by_their_indexes() {
    let (_folder, store, ..) = site().await;
    let [deletions, erased] = events_remove::EXPIRE_TOMBSTONES;
    for (statement, step) in [
        (runs::OPEN, "runs_open (epoch=?)"),
        (runs::OPEN_OF_MODE, "runs_open (epoch=? AND mode=?)"),
        (
            &runs::latest_sql(true),
            "INDEX runs_by_mode (epoch=? AND mode=?)",
        ),
        (&runs::latest_sql(false), "INDEX runs_by_start (epoch=?)"),
        (
            runs::EXPIRE,
            "INDEX runs_by_start (epoch=? AND started_at<?)",
        ),
        (
            deletions,
            "event_deletions_by_time (epoch=? AND timestamp<?)",
        ),
        (erased, "erased_events_by_time (epoch=? AND timestamp<?)"),
    ] {
        let explained = format!("EXPLAIN QUERY PLAN {statement}");
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(explained))
            .fetch_all(&store.readers)
            .await
            .unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.3).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(step), "{plan}");
        assert!(!plan.contains("FOR ORDER BY"), "{plan}");
    }
}

/// However many a connection has.
#[tokio::test]
async fn facts_that_went_are_removed_without_a_look_at_the_others() {
    let (_folder, store, ..) = site().await;
    let [before, after] = fact_losses::REMOVE;
    let text = values_sql(&format!("EXPLAIN QUERY PLAN {before}"), 3, 2, after);
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(text)
        .fetch_all(&store.readers)
        .await
        .unwrap();
    let step = "(epoch=? AND distinct_id=? AND property=? AND value=?)";
    assert!(plan[0].3.contains(step), "{plan:?}");
}
