//! Opening a database: settings of connections and transactions, and the schema brought up to
//! date.

use std::time::Duration;

use domain::storage::Result;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use super::{PostgresStore, schema, server};
use crate::OpenOptions;
use crate::database_url::PostgresUrl;

/// Connections that write: pages of as many runs at once, and what else happens beside them.
const WRITERS: u32 = 4;

/// How long a statement of a transaction that writes may take: the copy of a large page into a
/// slow server is one. What is read for upkeep, such as all of a busy day, may take as long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a transaction may keep rows locked without a word: a process that was cut off must
/// not stop the next one for longer than its lease.
const SILENCE: Duration = Duration::from_secs(60);

/// How often the server looks whether a statement's connection is still there: a caller that hung
/// up or ran out of time drops its connection, and the statement ends with it.
const CLIENT_CHECK: Duration = Duration::from_millis(250);

/// Opens the database that `url` names and brings its schema up to date.
pub(crate) async fn open(url: &PostgresUrl, options: &OpenOptions) -> Result<PostgresStore> {
    let settings = url
        .settings()?
        // Behind a pooler a session is another one for each transaction: no statement may stay
        // in it, and it takes no startup parameter that it does not know.
        .statement_cache_capacity(0)
        .extra_float_digits(None);
    let settings = match settings.get_application_name() {
        Some(_) => settings,
        None => settings.application_name("ordinary-posthog"),
    };
    let mut connection = server::connect(&settings, options.busy_timeout).await?;
    server::check(&mut connection).await?;
    let watch_client = server::watch_client(&mut connection, CLIENT_CHECK).await?;
    let begin_write = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {watch_client}
         SET LOCAL statement_timeout = {};
         SET LOCAL lock_timeout = {};
         SET LOCAL idle_in_transaction_session_timeout = {};
         SET LOCAL random_page_cost = 1.1",
        WRITE_TIMEOUT.as_millis(),
        options.busy_timeout.as_millis().max(1),
        SILENCE.as_millis(),
    );
    let begin_read = |timeout: Duration| {
        format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {watch_client}
             SET LOCAL statement_timeout = {}",
            timeout.as_millis().max(1),
        )
    };
    schema::bring_up_to_date(&mut connection, &begin_write).await?;
    // Nothing of worth is lost when the server does not hear the farewell.
    let _ = connection.close().await;
    Ok(PostgresStore {
        writers: pool(&settings, WRITERS, options),
        readers: pool(&settings, options.readers.max(1), options),
        begin_write: begin_write.into(),
        begin_read: begin_read(options.statement_timeout).into(),
        begin_upkeep: begin_read(WRITE_TIMEOUT.max(options.statement_timeout)).into(),
    })
}

/// Connections made when they are needed. One that was lost is noticed before it is used again.
fn pool(settings: &PgConnectOptions, size: u32, options: &OpenOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(options.busy_timeout)
        // Every use begins a transaction, which notices it.
        .test_before_acquire(false)
        .idle_timeout(Some(Duration::from_secs(300)))
        .connect_lazy_with(settings.clone())
}
