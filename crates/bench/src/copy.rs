//! `psql \copy`, and the databases that it and the program fill.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use store::{OpenOptions, open};
use test_postgres::Server;

use crate::Outcome;

/// The database whose schema all others begin with.
const EMPTY: &str = "empty";

/// A server with room for the work, and the file of rows that `\copy` reads.
pub(crate) struct Copying {
    pub(crate) server: Server,
    file: PathBuf,
}

impl Copying {
    /// Starts a server and makes the empty database.
    pub(crate) async fn start() -> Outcome<Self> {
        let server = Server::start(&[
            "shared_buffers=512MB",
            "max_wal_size=4GB",
            "checkpoint_timeout=1h",
            "autovacuum=off",
        ])?;
        server.create_database(EMPTY, "template0")?;
        drop(open(&server.url(EMPTY), OpenOptions::default()).await?);
        let file = server.socket().join("events.copy");
        Ok(Self { server, file })
    }

    /// A new database with the store's schema; its URL.
    pub(crate) fn database(&self, name: &str) -> Outcome<String> {
        self.server.drop_database(name)?;
        self.server.create_database(name, EMPTY)?;
        Ok(self.server.url(name))
    }

    /// Writes a database's events into the file, in the order in which they were stored.
    pub(crate) fn export(&self, database: &str) -> Outcome<()> {
        let path = self.file.display();
        self.server.run(
            database,
            &format!("COPY (SELECT * FROM events ORDER BY change_seq) TO '{path}'"),
        )?;
        Ok(())
    }

    /// How long `psql \copy` takes to load the file into a new database.
    pub(crate) fn load(&self, database: &str) -> Outcome<Duration> {
        self.database(database)?;
        let begun = Instant::now();
        let path = self.file.display();
        self.server
            .run(database, &format!("\\copy events FROM '{path}'"))?;
        Ok(begun.elapsed())
    }
}
