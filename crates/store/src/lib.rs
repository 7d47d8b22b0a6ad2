//! Where everything pulled from PostHog is kept: [`open`] gives the `domain::storage::Store`
//! that a database URL names. SQLite and PostgreSQL are behind it, one file a statement group.

mod clickmap_rows;
mod cohort_rows;
mod columns;
mod connection_rows;
mod database_url;
mod epoch_state;
mod fact_changes;
mod fact_losses;
mod fact_rows;
mod failures;
mod growing_tables;
mod link_rows;
mod list_branches;
mod person_moves;
mod persons_reading;
mod postgres;
mod run_rows;
mod seen_ids;
mod sqlite;
mod sync_store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
mod tombstones;
mod values;

use std::sync::Arc;
use std::time::Duration;

use domain::storage::{Result, Store, StoreError};

pub use self::database_url::{DatabaseUrl, DatabaseUrlError, PostgresUrl};

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// How long a statement waits for another process that is writing before it gives up.
    pub busy_timeout: Duration,
    /// How many readers may work at once; at least 1 is taken.
    pub readers: u32,
    /// How long a statement that reads for an answer may take before it is given up; what a run
    /// reads for upkeep may take as long as a write. PostgreSQL only: SQLite reads within this
    /// process, and stops at the next row that it finds for nobody.
    pub statement_timeout: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(10),
            readers: 8,
            statement_timeout: Duration::from_secs(30),
        }
    }
}

/// Opens the database that `url` names, creating it and bringing its schema up to date where
/// needed.
///
/// # Errors
/// One sentence with the fix. [`StoreError::Unusable`]: the URL is not one; the file cannot be
/// created or written, is not a SQLite database, lies on a network file system, or another process
/// keeps it locked; the server is not PostgreSQL 14 or later, is a standby, has no such database,
/// or does not let the user in; the schema is a newer one or another program's.
/// [`StoreError::Unavailable`]: the server does not answer, or not now.
pub async fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn Store>> {
    match url.parse::<DatabaseUrl>() {
        Ok(DatabaseUrl::Sqlite(path)) => Ok(Arc::new(sqlite::open(&path, &options).await?)),
        Ok(DatabaseUrl::Postgres(url)) => Ok(Arc::new(postgres::open(&url, &options).await?)),
        Err(error) => Err(StoreError::Unusable {
            detail: error.to_string(),
        }),
    }
}
