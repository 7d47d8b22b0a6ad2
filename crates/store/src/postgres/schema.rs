//! The schema in the database: whose it is, which version it has, and what is missing of it.
//!
//! sqlx's own migrator locks by session, which a pooler does not keep: everything here is one
//! transaction, and so is its lock.

use std::collections::BTreeMap;

use domain::storage::{Result, StoreError};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

use super::PostgresStore;
use super::errors::{self, code, sql};
use super::statement::{query, query_as, query_scalar};
use super::values::get;
use crate::failures::unusable;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Whoever brings a schema up to date holds this: the letters "OrPH".
const LOCK: i64 = 0x4f72_5048;

/// Tables of ours that another program's database is known by.
const OURS: [&str; 5] = ["connections", "epochs", "events", "runs", "leases"];

impl PostgresStore {
    /// Whether the database answers and has this program's schema.
    pub(super) async fn check_schema(&self) -> Result<()> {
        let newest_here = query("SELECT max(version) AS version FROM ordinary_posthog_migrations");
        let rows = self.fetch(newest_here).await?;
        let found: Option<i64> = match rows.first() {
            Some(row) => get(row, "version")?,
            None => None,
        };
        match found {
            Some(found) if found == newest() => Ok(()),
            Some(found) if found > newest() => Err(newer(found)),
            _ => Err(unusable(
                "the PostgreSQL database has an older schema than this program: restart the program, which brings it up to date",
            )),
        }
    }
}

/// Applies what migrations are missing. `begin` begins a transaction that writes.
pub(super) async fn bring_up_to_date(connection: &mut PgConnection, begin: &str) -> Result<()> {
    let mut tx = connection
        .begin_with(sqlx::AssertSqlSafe(begin))
        .await
        .map_err(errors::begin)?;
    if up_to_date(&applied(&mut tx).await?)? {
        return Ok(());
    }
    query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
    // Another process may have done it while this one waited.
    let applied = applied(&mut tx).await?;
    if up_to_date(&applied)? {
        return Ok(());
    }
    if applied.is_empty() {
        refuse_foreign(&mut tx).await?;
    }
    migrate(&mut tx, &applied).await?;
    tx.commit().await.map_err(sql)
}

type Applied = BTreeMap<i64, Vec<u8>>;

/// The migrations that were applied, with their checksums.
async fn applied(connection: &mut PgConnection) -> Result<Applied> {
    // Not by to_regclass: it may remember that there was no such table when it waited.
    let known: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = current_schema()::regnamespace
                AND c.relname = 'ordinary_posthog_migrations')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(sql)?;
    if !known {
        return Ok(Applied::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        query_as("SELECT version, checksum FROM ordinary_posthog_migrations")
            .fetch_all(connection)
            .await
            .map_err(sql)?;
    Ok(rows.into_iter().collect())
}

/// Refuses a database that has tables of ours which this program did not make.
async fn refuse_foreign(connection: &mut PgConnection) -> Result<()> {
    let foreign: Option<String> = query_scalar(
        "SELECT c.relname::text FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1)
         ORDER BY 1 LIMIT 1",
    )
    .bind(OURS)
    .fetch_optional(connection)
    .await
    .map_err(sql)?;
    match foreign {
        None => Ok(()),
        Some(table) => Err(unusable(format!(
            "the PostgreSQL database holds another program's tables ({table}): name one of ordinary-posthog's own, which may be a new one"
        ))),
    }
}

/// Whether nothing is missing of what this program knows.
fn up_to_date(applied: &Applied) -> Result<bool> {
    if let Some((found, _)) = applied.last_key_value()
        && *found > newest()
    {
        return Err(newer(*found));
    }
    for (version, checksum) in applied {
        let as_known = MIGRATIONS
            .iter()
            .any(|known| known.version == *version && *known.checksum == **checksum);
        if !as_known {
            return Err(unusable(format!(
                "the schema in the PostgreSQL database is not as this program left it (migration {version} differs): restore a backup, or name another database"
            )));
        }
    }
    Ok(applied.contains_key(&newest()))
}

async fn migrate(connection: &mut PgConnection, applied: &Applied) -> Result<()> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS ordinary_posthog_migrations (
            version      bigint PRIMARY KEY,
            description  text NOT NULL,
            checksum     bytea NOT NULL,
            installed_on timestamptz NOT NULL DEFAULT now()
        )",
    )
    .execute(&mut *connection)
    .await
    .map_err(may_not_create)?;
    for migration in MIGRATIONS.iter() {
        if applied.contains_key(&migration.version) {
            continue;
        }
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut *connection)
            .await
            .map_err(may_not_create)?;
        query(
            "INSERT INTO ordinary_posthog_migrations (version, description, checksum)
             VALUES ($1, $2, $3)",
        )
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
        tracing::info!(
            version = migration.version,
            "brought the PostgreSQL schema up to date"
        );
    }
    Ok(())
}

fn may_not_create(error: sqlx::Error) -> StoreError {
    match code(&error).as_deref() {
        Some("42501" | "3F000") => unusable(
            "the database's user may not create tables: grant it CREATE on its schema, or make it the database's owner",
        ),
        _ => sql(error),
    }
}

fn newer(found: i64) -> StoreError {
    unusable(format!(
        "the PostgreSQL database has schema {found}, and this program knows up to {}: upgrade ordinary-posthog, or name another database",
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
