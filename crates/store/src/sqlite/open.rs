//! Opening the file: what is refused, how connections are set up, and the schema's version.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use domain::storage::{Result, StoreError};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::errors::{is_busy, sql};
use super::{SqliteStore, file_system};
use crate::OpenOptions;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Written into the file's header, so that another program's database is never migrated: the
/// letters "OrPH".
const APPLICATION_ID: i32 = 0x4f72_5048;

/// What every SQLite file begins with (<https://sqlite.org/fileformat2.html>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Opens the file at `path`, making it and its folder where they are missing.
pub(crate) async fn open(path: &Path, options: &OpenOptions) -> Result<SqliteStore> {
    prepare_file(path)?;
    let settings = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        // With the write-ahead log a crash of the program loses nothing, one of the machine
        // at most the last transactions, and never consistency.
        .synchronous(SqliteSynchronous::Normal);
    bring_up_to_date(path, &settings, options).await?;
    let writer = settings
        .clone()
        // A page of a slice touches every part of the random uuid index; 32 MiB holds that of
        // some millions of events.
        .pragma("cache_size", "-32768")
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

fn unusable(detail: String) -> StoreError {
    StoreError::Unusable { detail }
}

fn prepare_file(path: &Path) -> Result<()> {
    let shown = path.display();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(|error| {
        unusable(format!(
            "the folder {} for the SQLite file cannot be made ({error}): name a file in a folder that you may write to",
            folder.display()
        ))
    })?;
    if let Some(network) = file_system::on_network(folder) {
        return Err(unusable(format!(
            "{shown} lies on a network file system ({network}), where SQLite files get damaged: name a file on a local disk"
        )));
    }
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => create(path),
        Err(error) => Err(cannot_open(path, &error)),
        Ok(found) if !found.is_file() => Err(unusable(format!(
            "{shown} is not a file: name a SQLite file, which may be a new one"
        ))),
        Ok(found) if found.permissions().readonly() => Err(read_only(path)),
        Ok(_) => check_header(path),
    }
}

fn create(path: &Path) -> Result<()> {
    let mut create = fs::OpenOptions::new();
    create.write(true).create_new(true);
    // Events are personal data: nobody else on the machine reads them. SQLite gives its log
    // and shared memory the same mode.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut create, 0o600);
    match create.open(path) {
        Ok(_) => Ok(()),
        // Another process made it in this very moment.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_open(path, &error)),
    }
}

fn check_header(path: &Path) -> Result<()> {
    let mut header = Vec::with_capacity(MAGIC.len());
    fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut header))
        .map_err(|error| cannot_open(path, &error))?;
    // An empty file is a new database.
    if header.is_empty() || header == MAGIC {
        return Ok(());
    }
    Err(not_a_database(path))
}

fn cannot_open(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => read_only(path),
        _ => unusable(format!(
            "{} cannot be opened ({error}): name another file",
            path.display()
        )),
    }
}

fn read_only(path: &Path) -> StoreError {
    unusable(format!(
        "{} cannot be written: give the program's user the right to write it and its folder, or name another file",
        path.display()
    ))
}

fn not_a_database(path: &Path) -> StoreError {
    unusable(format!(
        "{} is not a SQLite database: name another file, which may be a new one",
        path.display()
    ))
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

async fn bring_up_to_date(
    path: &Path,
    settings: &SqliteConnectOptions,
    options: &OpenOptions,
) -> Result<()> {
    let said = |error: sqlx::Error| {
        if is_busy(&error) {
            return unusable(format!(
                "another process keeps {} locked for longer than {:?}: stop it, or name another file",
                path.display(),
                options.busy_timeout
            ));
        }
        match sql(error) {
            StoreError::Unusable { .. } if !path.exists() => read_only(path),
            StoreError::Unusable { detail } if detail.contains("not a SQLite") => {
                not_a_database(path)
            }
            other => other,
        }
    };
    let mut connection = SqliteConnection::connect_with(settings)
        .await
        .map_err(&said)?;
    let found = schema_version(&mut connection).await.map_err(&said)?;
    match found {
        Some(found) if found > newest() => return Err(newer_schema(found)),
        None => claim(path, &mut connection).await.map_err(|refused| match refused {
            Refused::Database(error) => said(error),
            Refused::Foreign => unusable(format!(
                "{} is a SQLite database of another program: name another file, which may be a new one",
                path.display()
            )),
        })?,
        Some(_) => {}
    }
    // Every process sets it again: only the first one changes anything, and only it needs the
    // file for itself.
    let settings = settings.clone().journal_mode(SqliteJournalMode::Wal);
    connection.close().await.map_err(&said)?;
    let mut connection = SqliteConnection::connect_with(&settings)
        .await
        .map_err(&said)?;
    if found != Some(newest()) {
        migrate(&mut connection).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => said(error),
            MigrateError::VersionMissing(version) => newer_schema(version),
            other => unusable(format!(
                "the schema of {} is not as this program left it ({other}): restore the file from a backup, or name another one",
                path.display()
            )),
        })?;
    }
    connection.close().await.map_err(said)
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

enum Refused {
    Database(sqlx::Error),
    Foreign,
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
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
