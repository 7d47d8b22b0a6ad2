//! The suite of promises, kept by the PostgreSQL store: connected to the server itself, and
//! through a pooler that gives each transaction another session.
#![allow(clippy::unwrap_used)]

mod suite;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use domain::storage::Store;
use store::{OpenOptions, open};
use test_postgres::{Pooler, Server};
use tokio::sync::OnceCell;

use suite::Database;

/// A database of a test's own, made from a template, on the one server of this process.
struct PostgresDatabase {
    name: String,
    url: String,
}

impl PostgresDatabase {
    async fn create() -> Self {
        let (server, name) = new_database().await;
        let url = server.url(&name);
        Self { name, url }
    }

    async fn behind_a_pooler() -> Self {
        static POOLER: OnceLock<Pooler> = OnceLock::new();
        let (server, name) = new_database().await;
        let pooler = POOLER.get_or_init(|| match Pooler::start(server) {
            Ok(pooler) => pooler,
            Err(error) => panic!("{error}"),
        });
        let url = pooler.url(&name);
        Self { name, url }
    }
}

async fn new_database() -> (&'static Server, String) {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = match Server::shared() {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    };
    TEMPLATE
        .get_or_init(|| async {
            server.create_database("model", "template0").unwrap();
            drop(
                open(&server.url("model"), OpenOptions::default())
                    .await
                    .unwrap(),
            );
        })
        .await;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name, "model").unwrap();
    (server, name)
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn open(&self) -> Arc<dyn Store> {
        open(&self.url, OpenOptions::default()).await.unwrap()
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // The server and all its databases go with the process; this only keeps it small.
        if let Ok(server) = Server::shared() {
            let _ = server.drop_database(&self.name);
        }
    }
}

suite::store_suite!(PostgresDatabase::create().await);

mod pooled {
    use super::{PostgresDatabase, suite};

    suite::store_suite!(PostgresDatabase::behind_a_pooler().await);
}
