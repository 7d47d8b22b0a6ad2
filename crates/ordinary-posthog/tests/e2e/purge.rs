//! `purge`: what it removes, and what it leaves alone.

use std::sync::Arc;

use domain::ConnectionName;
use domain::storage::Store;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use store::OpenOptions;

use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::program::Program;
use crate::support::shop;
use crate::support::stored::Stored;

fn purge(home: &Home, connection: &str) -> Program {
    home.program(&[
        "purge",
        "--connection",
        connection,
        "--database-url",
        &home.database_url(),
    ])
}

async fn open(home: &Home) -> Arc<dyn Store> {
    store::open(&home.database_url(), OpenOptions::default())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_once_the_connection_is_deleted_and_due_and_not_before() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let stored = Stored::read(&home.database_url()).await.unwrap();
    purge(&home, "default/storefront")
        .run()
        .await
        .with_code(10)
        .says(&["lives", "nothing was removed"]);

    let name = ConnectionName::new("default", "storefront");
    let store = open(&home).await;
    store.mark_deleted(&name, Timestamp::now()).await.unwrap();
    purge(&home, "default/storefront")
        .run()
        .await
        .with_code(10)
        .says(&["grace period lasts until"]);
    Stored::read(&home.database_url())
        .await
        .unwrap()
        .assert_same(&stored);

    // Back, and deleted longer ago than the 168 hours that a connection is granted.
    home.sync(&file, "refresh").run().await.with_code(0);
    let long_ago = Timestamp::now() - SignedDuration::from_hours(169);
    store.mark_deleted(&name, long_ago).await.unwrap();
    let ended = purge(&home, "default/storefront").run().await;
    let line: Value = serde_json::from_str(&ended.with_code(0).stdout).unwrap();
    assert_eq!(line["connection"], "default/storefront");
    assert_eq!(line["eventsRemoved"], stored.events.len());
    assert!(Stored::read(&home.database_url()).await.is_none());

    let again = purge(&home, "default/storefront").run().await;
    let line: Value = serde_json::from_str(&again.with_code(0).stdout).unwrap();
    assert_eq!(line["eventsRemoved"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_to_stay_are_not_purged() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = Document::of(&stub).spec("deletionPolicy: Retain");
    let file = home.write("connection.yaml", document.yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let name = ConnectionName::new("default", "storefront");
    let store = open(&home).await;
    store
        .mark_deleted(&name, Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    purge(&home, "default/storefront")
        .run()
        .await
        .with_code(10)
        .says(&["Retain"]);
    assert!(Stored::read(&home.database_url()).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_of_no_connection_or_no_database_says_so() {
    let home = Home::new();
    for wrong in ["storefront", "default/", "De_fault/storefront", "a/b/c"] {
        purge(&home, wrong)
            .run()
            .await
            .with_code(2)
            .says(&["--connection", "acme/storefront"]);
    }
    purge(&home, "default/storefront")
        .run()
        .await
        .with_code(20)
        .says(&["There is no database"]);
}
