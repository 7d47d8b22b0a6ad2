//! Databases that cannot be used, or fail while they are: one sentence, exit code 20, and nothing
//! half-written.

mod failing;
mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use test_postgres::Server;

use crate::support::home::Home;
use crate::support::program::Program;

/// The PostgreSQL server of this process.
pub(crate) fn server() -> &'static Server {
    Server::shared().unwrap()
}

/// The name of a new database without tables.
pub(crate) fn database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("e2e_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server().create_database(&name, "template0").unwrap();
    name
}

/// A backfill into this database, which is named where its password is in no list of processes.
pub(crate) fn backfill(home: &Home, document: &Path, url: &str) -> Program {
    home.program(&["sync", "--mode", "backfill"])
        .variable("ORDINARY_POSTHOG_DATABASE_URL", url)
        .reaching_loopback()
        .documents(document)
}
