//! The schema in the file: whose it is, which version it has, and what is missing of it.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::storage::{Result, StoreError};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::SqliteStore;
use super::errors::{is_busy, is_not_a_database, sql, unusable};
use super::file::not_a_database;
use crate::OpenOptions;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Written into the file's header, so that another program's database is never migrated: the
/// letters "OrPH".
const APPLICATION_ID: i32 = 0x4f72_5048;

impl SqliteStore {
    /// Whether the file answers and has this program's schema.
    pub(super) async fn check_schema(&self) -> Result<()> {
        let mut connection = self.readers.acquire().await.map_err(sql)?;
        let found = schema_version(&mut connection).await.map_err(sql)?;
        match found {
            Some(found) if found == newest() => Ok(()),
            Some(found) if found > newest() => Err(newer_schema(found)),
            _ => Err(unusable(
                "the SQLite file has an older schema than this program: restart the program, which brings it up to date".to_owned(),
            )),
        }
    }
}

fn newer_schema(found: i64) -> StoreError {
    unusable(format!(
        "the SQLite file has schema {found}, and this program knows up to {}: upgrade ordinary-posthog, or name another file",
        newest()
    ))
}

fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Claims a new file, sets its journal and applies what migrations are missing.
pub(super) async fn bring_up_to_date(
    path: &Path,
    settings: &SqliteConnectOptions,
    options: &OpenOptions,
) -> Result<()> {
    let deadline = Instant::now() + options.busy_timeout;
    loop {
        match try_to_bring_up_to_date(path, settings).await {
            // A change of the journal finds the file locked without waiting for it.
            Err(Refused::Database(error)) if is_busy(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(()) => return Ok(()),
            Err(refused) => return Err(refused.into_error(path, options)),
        }
    }
}

async fn try_to_bring_up_to_date(
    path: &Path,
    settings: &SqliteConnectOptions,
) -> std::result::Result<(), Refused> {
    let mut connection = SqliteConnection::connect_with(settings).await?;
    let found = schema_version(&mut connection).await?;
    match found {
        Some(found) if found > newest() => return Err(Refused::Newer(found)),
        None => claim(path, &mut connection).await?,
        Some(_) => {}
    }
    // Every process asks for it: only the first changes anything, and only it needs the file
    // for itself.
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&mut connection)
        .await?;
    if found != Some(newest()) {
        migrate(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// One transaction for everything, so that a second process that opens the same new file waits
/// and then finds nothing left to do.
async fn migrate(connection: &mut SqliteConnection) -> std::result::Result<(), MigrateError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // `run` would do, but its future is not `Send` over a borrowed connection; this is what it calls.
    MIGRATIONS
        .run_direct(None, &mut *transaction, false)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// The schema's version; `None` before the first migration.
async fn schema_version(
    connection: &mut SqliteConnection,
) -> std::result::Result<Option<i64>, sqlx::Error> {
    let known: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if known == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
}

/// Why a file was not taken.
enum Refused {
    Database(sqlx::Error),
    Foreign,
    Newer(i64),
    Changed(String),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<MigrateError> for Refused {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::Database(error)
            }
            other => Self::Changed(other.to_string()),
        }
    }
}

impl Refused {
    fn into_error(self, path: &Path, options: &OpenOptions) -> StoreError {
        let shown = path.display();
        match self {
            Self::Database(error) if is_busy(&error) => unusable(format!(
                "another process keeps {shown} locked for longer than {:?}: stop it, or name another file",
                options.busy_timeout
            )),
            Self::Database(error) if is_not_a_database(&error) => not_a_database(path),
            Self::Database(error) => sql(error),
            Self::Foreign => unusable(format!(
                "{shown} is a SQLite database of another program: name another file, which may be a new one"
            )),
            Self::Newer(found) => newer_schema(found),
            Self::Changed(how) => unusable(format!(
                "the schema of {shown} is not as this program left it ({how}): restore the file from a backup, or name another one"
            )),
        }
    }
}

/// Marks a file without our schema as ours, if it has nobody else's.
async fn claim(path: &Path, connection: &mut SqliteConnection) -> std::result::Result<(), Refused> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let application: i32 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *transaction)
        .await?;
    if application == APPLICATION_ID {
        return Ok(());
    }
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *transaction)
        .await?;
    if application != 0 || tables > 0 {
        return Err(Refused::Foreign);
    }
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "PRAGMA application_id = {APPLICATION_ID}"
    )))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    tracing::info!(path = %path.display(), "made a new SQLite store");
    Ok(())
}
