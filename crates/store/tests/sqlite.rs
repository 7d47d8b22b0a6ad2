//! The suite of promises, kept by the SQLite store, and what concerns SQLite files alone.
#![allow(clippy::unwrap_used)]

mod suite;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use domain::storage::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
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

/// What else is to be undone than in every database.
const BACK_TO_VERSION_2: &str = "
    UPDATE connections SET desired = json_remove(desired, '$.deletion');
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
        let back = format!("{}{BACK_TO_VERSION_2}", earlier::BACK_TO_VERSION_2);
        sqlx::raw_sql(AssertSqlSafe(back))
            .execute(&mut file)
            .await
            .unwrap();
        file.close().await.unwrap();
    })
    .await;
}
