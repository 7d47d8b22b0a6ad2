//! The store in one SQLite file: one connection that writes, several that read, and any number
//! of processes on the same host beside it.

mod belonging;
mod budget;
mod clickmaps_erase;
mod clickmaps_make;
mod clickmaps_read;
mod clickmaps_remove;
mod cohorts_erase;
mod cohorts_read;
mod cohorts_write;
mod completeness;
mod conflicts;
mod connections;
mod counts;
mod definitions;
mod epochs;
mod erasing;
mod erasures;
mod errors;
mod event_columns;
mod events_list;
mod events_read;
mod events_remove;
mod events_write;
mod evidence;
mod fact_changes;
mod fact_losses;
mod facts;
mod file;
mod file_system;
mod growing;
mod identities_read;
mod identities_write;
mod leases;
mod left_epochs;
mod links;
mod links_asked;
mod open;
mod persons_reading;
mod purge;
mod refusals;
mod remap;
mod rollups;
mod rows;
mod runs;
mod schema;
mod seen_ids;
mod slices;
#[cfg(test)]
mod tests;
mod utc_days;
mod values;

use domain::storage::Result;
use sqlx::{Sqlite, SqlitePool, Transaction};

use self::errors::sql;
pub(crate) use self::open::open;

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    /// The one connection that writes: SQLite has one writer at a time anyway, and here they
    /// queue in order instead of polling for the file's lock.
    writer: SqlitePool,
    /// Connections that cannot write.
    readers: SqlitePool,
}

impl SqliteStore {
    /// Begins a transaction that writes. It takes the file's write lock at once: a transaction
    /// that read first and then wanted to write could be refused without any waiting.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(sql)
    }

    /// Begins a transaction whose reads all see the same state.
    async fn read(&self) -> Result<Transaction<'static, Sqlite>> {
        self.readers.begin().await.map_err(sql)
    }
}

crate::sync_store::sync_store!(SqliteStore);
