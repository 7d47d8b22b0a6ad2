//! The databases that hold a story's rows: a SQLite file, or one on the PostgreSQL server of this
//! process.

use std::sync::Arc;

use domain::storage::Store;
use store::{OpenOptions, open};
use tempfile::TempDir;
use test_postgres::Server;

/// A database of a test's own.
pub(crate) enum Database {
    /// A file in a folder that goes with it.
    Sqlite(TempDir),
    /// The name of a database on the shared server.
    Postgres(&'static str),
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres(name: &'static str) -> Self {
        server().create_database(name, "template0").unwrap();
        Self::Postgres(name)
    }

    /// Opens it, as another process would.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        let url = match self {
            Self::Sqlite(folder) => format!("sqlite://{}/store.db", folder.path().display()),
            Self::Postgres(name) => server().url(name),
        };
        open(&url, OpenOptions::default()).await.unwrap()
    }
}

fn server() -> &'static Server {
    match Server::shared() {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}
