//! Connecting: what answers at the named place, and whether it is a database to use.

use std::io::ErrorKind;
use std::time::Duration;

use domain::storage::{Result, StoreError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::errors::{self, code, sql};
use super::statement::query;
use super::values::get;
use crate::failures::{unavailable, unusable};

/// The oldest server that keeps the promises, as `server_version_num` counts.
const OLDEST: i32 = 140_000;

/// Connects once.
pub(super) async fn connect(
    settings: &PgConnectOptions,
    patience: Duration,
) -> Result<PgConnection> {
    let place = place(settings);
    match tokio::time::timeout(patience, settings.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(refused(error, settings, &place)),
        Err(_) => Err(unavailable(format!(
            "PostgreSQL at {place} did not answer within {patience:?}: check that it runs, that nothing blocks the way, and that the database URL names its host and port"
        ))),
    }
}

/// The server as the merchant's operator knows it; without user and password.
fn place(settings: &PgConnectOptions) -> String {
    let port = settings.get_port();
    match settings.get_socket() {
        Some(folder) => format!("{} (port {port})", folder.display()),
        None => format!("{}:{port}", settings.get_host()),
    }
}

/// Why no connection came about. By value, as it is handed over.
#[allow(clippy::needless_pass_by_value)]
fn refused(error: sqlx::Error, settings: &PgConnectOptions, place: &str) -> StoreError {
    let user = settings.get_username();
    let database = settings.get_database().unwrap_or(user);
    match &error {
        sqlx::Error::Io(io) if io.kind() == ErrorKind::UnexpectedEof => unavailable(format!(
            "what answers at {place} breaks off: it is stopping or starting, or it is not PostgreSQL, and the host or port of the database URL is wrong"
        )),
        // How a handshake that failed comes through the socket.
        sqlx::Error::Io(io) if io.kind() == ErrorKind::InvalidData => no_tls(place, io),
        sqlx::Error::Io(io) => unavailable(format!(
            "PostgreSQL at {place} does not answer ({io}): check that it runs and that the database URL names its host and port"
        )),
        sqlx::Error::Protocol(_) => unusable(format!(
            "what answers at {place} is not PostgreSQL: check the host and port of the database URL"
        )),
        sqlx::Error::Tls(why) => no_tls(place, why),
        sqlx::Error::Configuration(why) => unusable(format!(
            "the settings of the database URL cannot be used ({why}): correct them"
        )),
        sqlx::Error::Database(said) => match code(&error).as_deref() {
            // invalid_catalog_name
            Some("3D000") => unusable(format!(
                "PostgreSQL at {place} has no database {database:?}: create it, or name another one in the database URL"
            )),
            // invalid_password, invalid_authorization_specification
            Some("28P01" | "28000") => unusable(format!(
                "PostgreSQL at {place} does not let user {user:?} in: check the user and password of the database URL ({})",
                said.message()
            )),
            Some("42501") => unusable(format!(
                "user {user:?} may not connect to database {database:?} at {place}: grant it CONNECT"
            )),
            // What poolers answer for any of the above.
            Some("08P01" | "08004") => unusable(format!(
                "what answers at {place} refuses the connection ({}): check the user, password and database of the database URL",
                said.message()
            )),
            Some(code) => errors::of_code(code, said.message()),
            None => sql(error),
        },
        _ => sql(error),
    }
}

fn no_tls(place: &str, why: &dyn std::fmt::Display) -> StoreError {
    unusable(format!(
        "no TLS with PostgreSQL at {place} ({why}): name its authority with sslrootcert, or set sslmode in the database URL to what the server offers"
    ))
}

/// How a transaction looks around. It may be one of a standby's.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// The setting by which the server looks every so often, within a transaction that begins with it,
/// whether its client is still there, where the server's system can tell
/// (<https://www.postgresql.org/docs/14/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL>).
pub(super) async fn watch_client(connection: &mut PgConnection, every: Duration) -> Result<String> {
    let setting = format!(
        "SET LOCAL client_connection_check_interval = {};",
        every.as_millis()
    );
    let mut tx = connection.begin_with(BEGIN).await.map_err(sql)?;
    let set = sqlx::raw_sql(AssertSqlSafe(setting.clone()));
    match set.execute(&mut *tx).await {
        Ok(_) => {}
        // invalid_parameter_value: only 0 is possible there.
        Err(error) if code(&error).as_deref() == Some("22023") => return Ok(String::new()),
        Err(error) => return Err(sql(error)),
    }
    tx.rollback().await.map_err(sql)?;
    Ok(setting)
}

/// Refuses a server or a database that cannot keep the promises.
pub(super) async fn check(connection: &mut PgConnection) -> Result<()> {
    let mut tx = connection.begin_with(BEGIN).await.map_err(sql)?;
    let row = query(
        "SELECT version() AS version,
            current_setting('server_version_num')::integer AS number,
            current_setting('server_version') AS short,
            current_setting('server_encoding') AS encoding",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(sql)?;
    tx.rollback().await.map_err(sql)?;
    judge(
        get(&row, "version")?,
        get(&row, "number")?,
        get(&row, "short")?,
        get(&row, "encoding")?,
    )
}

fn judge(version: &str, number: i32, short: &str, encoding: &str) -> Result<()> {
    if !version.starts_with("PostgreSQL") {
        let what = version
            .split_whitespace()
            .next()
            .unwrap_or("something else");
        return Err(unusable(format!(
            "the database is not PostgreSQL but {what}: name a PostgreSQL 14 or later"
        )));
    }
    if number < OLDEST {
        return Err(unusable(format!(
            "the server is PostgreSQL {short}, and 14 or later is needed: upgrade the server, or name another one"
        )));
    }
    if encoding != "UTF8" {
        return Err(unusable(format!(
            "the database's encoding is {encoding}, which cannot hold every text: create one with ENCODING 'UTF8'"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgresql_14_or_later_in_utf8_will_do() {
        let full = "PostgreSQL 14.0 on x86_64-pc-linux-gnu";
        assert!(judge(full, 140_000, "14.0", "UTF8").is_ok());
        assert!(judge("PostgreSQL 18.1", 180_001, "18.1", "UTF8").is_ok());
        for (said, refusal) in [
            (
                judge("PostgreSQL 13.14", 130_014, "13.14", "UTF8"),
                "PostgreSQL 13.14, and 14 or later is needed",
            ),
            (
                judge("CockroachDB CCL v25", 150_000, "15", "UTF8"),
                "not PostgreSQL but CockroachDB",
            ),
            (judge(full, 140_000, "14.0", "LATIN1"), "LATIN1"),
        ] {
            let said = said.unwrap_err().to_string();
            assert!(said.contains(refusal), "{said}");
        }
    }
}
