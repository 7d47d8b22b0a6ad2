//! The suite of promises, kept by the SQLite store, and what concerns SQLite files alone.
#![allow(clippy::unwrap_used)]

mod suite;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use domain::storage::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use store::{OpenOptions, open};
use tempfile::TempDir;

use suite::{Database, earlier};

/// A file of its own in a folder that goes with it.
struct SqliteFile(TempDir);

impl SqliteFile {
    async fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("store.db")
    }
}

#[async_trait]
impl Database for SqliteFile {
    async fn open(&self) -> Arc<dyn Store> {
        let url = format!("sqlite://{}", self.path().display());
        open(&url, OpenOptions::default()).await.unwrap()
    }
}

suite::store_suite!(SqliteFile::create().await);

/// A store as version 2 of the schema left it.
const BACK_TO_VERSION_2: &str = "
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
    ALTER TABLE epochs DROP COLUMN facts_known_from;
    DROP TABLE erased_ids;
    DROP TABLE erased_persons;
    DROP TABLE erased_events;
    DROP TABLE erasure_key;
    ALTER TABLE epochs DROP COLUMN erasures;
    ALTER TABLE day_verdicts DROP COLUMN erased;
    UPDATE connections SET desired = json_remove(desired, '$.deletion');
    DROP TABLE cohorts;
    DROP TABLE cohort_members;
    DROP TABLE cohort_buckets;
    DROP TABLE cohort_histories;
    DELETE FROM _sqlx_migrations WHERE version >= 3;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_an_earlier_schema_are_kept_and_go_only_once_somebody_said_so() {
    let database = SqliteFile::create().await;
    earlier::rows_are_kept(&database, async || {
        let mut file = SqliteConnectOptions::new()
            .filename(database.path())
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql(BACK_TO_VERSION_2)
            .execute(&mut file)
            .await
            .unwrap();
        file.close().await.unwrap();
    })
    .await;
}
