//! A statement whose caller hung up or ran out of time ends in PostgreSQL too, and soon: nobody
//! reads its answer, and it would keep its connection, its locks and a processor until then.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unused_macros, unused_imports)]
mod suite;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::storage::Store;
use store::{OpenOptions, open};
use test_postgres::{Pooler, Server};

use suite::Database;
use suite::fixtures::Site;

/// Longer than a busy machine's server takes to look whether its client is there, far shorter than
/// the store itself would wait for a lock.
const SOON: Duration = Duration::from_secs(20);

fn server() -> &'static Server {
    Server::shared().unwrap()
}

struct At(String);

#[async_trait]
impl Database for At {
    async fn open(&self) -> Arc<dyn Store> {
        let options = OpenOptions {
            busy_timeout: 6 * SOON,
            statement_timeout: 6 * SOON,
            ..OpenOptions::default()
        };
        open(&self.0, options).await.unwrap()
    }
}

/// How many sessions of the database wait for a lock.
fn waiting(database: &str) -> usize {
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = '{database}' AND wait_event_type = 'Lock'"
    );
    server().run("postgres", &count).unwrap().parse().unwrap()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < SOON, "it took too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A read and a write that wait for a lock, dropped by their callers.
async fn assert_ended_with_their_callers(database: &'static str, url: String) {
    let site = Arc::new(Site::new(&At(url)).await);
    let lock = server().lock_tables(database, &["runs", "leases"]).unwrap();
    let (reading, writing) = (Arc::clone(&site), Arc::clone(&site));
    let callers = [
        tokio::spawn(async move {
            let _ = reading.store.runs(reading.id, None, 1).await;
        }),
        tokio::spawn(async move {
            let _ = writing.store.renew_lease(&writing.lease, SOON).await;
        }),
    ];
    until("both statements wait", || waiting(database) == 2).await;
    for caller in &callers {
        caller.abort();
    }
    until("both statements have ended", || waiting(database) == 0).await;
    drop(lock);
    site.store.runs(site.id, None, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_ends_when_its_caller_hangs_up() {
    server().create_database("direct", "template0").unwrap();
    assert_ended_with_their_callers("direct", server().url("direct")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_behind_a_pooler_ends_when_its_caller_hangs_up() {
    server().create_database("pooled", "template0").unwrap();
    // It goes with the process: told to end earlier, it would wait for the store's connections.
    static POOLER: OnceLock<Pooler> = OnceLock::new();
    let pooler = POOLER.get_or_init(|| Pooler::start(server()).unwrap());
    assert_ended_with_their_callers("pooled", pooler.url("pooled")).await;
}
