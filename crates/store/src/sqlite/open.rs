//! Opening the file: how the connections that write and those that read are set up.

use std::path::Path;

use domain::storage::Result;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

use super::{SqliteStore, file, file_system, schema};
use crate::OpenOptions;

/// Opens the file at `path`, making it and its folder where they are missing.
pub(crate) async fn open(path: &Path, options: &OpenOptions) -> Result<SqliteStore> {
    file::prepare(path, file_system::on_network)?;
    let settings = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        // With the write-ahead log a crash of the program loses nothing, one of the machine
        // at most the last transactions, and never consistency.
        .synchronous(SqliteSynchronous::Normal);
    schema::bring_up_to_date(path, &settings, options).await?;
    let writer = settings
        .clone()
        // A page of a slice touches every part of the random uuid index; 6 MiB holds the pages of
        // a few hundred thousand events, and leaves a run below 100 MiB.
        .pragma("cache_size", "-6144")
        // Fewer checkpoints write fewer index pages, at the price of a longer log (16 MiB).
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864");
    let reader = settings.pragma("query_only", "ON");
    Ok(SqliteStore {
        writer: pool(writer, 1),
        readers: pool(reader, options.readers.max(1)),
    })
}

fn pool(settings: SqliteConnectOptions, size: u32) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(size)
        // A connection to a file does not go stale, and asking whether it lives costs as much
        // as a read.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(settings)
}
