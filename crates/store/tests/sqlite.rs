//! The suite of promises, kept by the SQLite store, and what concerns SQLite files alone.
#![allow(clippy::unwrap_used)]

mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use domain::storage::Store;
use store::{OpenOptions, open};
use tempfile::TempDir;

use suite::Database;

/// A file of its own in a folder that goes with it.
struct SqliteFile(TempDir);

impl SqliteFile {
    async fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Database for SqliteFile {
    async fn open(&self) -> Arc<dyn Store> {
        let url = format!("sqlite://{}/store.db", self.0.path().display());
        open(&url, OpenOptions::default()).await.unwrap()
    }
}

suite::store_suite!(SqliteFile::create().await);
