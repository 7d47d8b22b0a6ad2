//! SQLite files that are refused when the program opens them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::backfill;
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::shop;
use crate::support::stored::Stored;

/// Another program at the file of a store that holds the small shop.
async fn beside_a_store(home: &Home) -> SqliteConnection {
    let stub = shop::small_shop().await;
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let options = SqliteConnectOptions::new().filename(home.database());
    options.connect().await.unwrap()
}

/// Fails unless the program refuses the file with these words before it asks PostHog anything.
async fn assert_refused(home: &Home, url: &str, said: &[&str]) {
    let stub = shop::small_shop().await;
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let ended = backfill(home, &file, url).run().await;
    ended.with_code(20).says(said);
    assert_eq!(ended.stdout, "", "a run that failed has no summary");
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_written_is_told_with_the_fix() {
    let home = Home::new();
    drop(beside_a_store(&home).await);
    let read_only = Permissions::from_mode(0o400);
    std::fs::set_permissions(home.database(), read_only).unwrap();
    let said = ["store.db cannot be written", "the right to write it"];
    assert_refused(&home, &home.database_url(), &said).await;
    // Nobody, not even root, makes a folder there.
    let said = ["folder /proc/nowhere", "cannot be made", "name a file in"];
    assert_refused(&home, "sqlite:///proc/nowhere/store.db", &said).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_says_to_upgrade_the_program_and_stays_as_it_is() {
    let home = Home::new();
    let mut newer = beside_a_store(&home).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut newer)
    .await
    .unwrap();
    let said = ["has schema 9999", "upgrade ordinary-posthog"];
    assert_refused(&home, &home.database_url(), &said).await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 9999")
        .execute(&mut newer)
        .await
        .unwrap();
    drop(newer);
    let stored = Stored::read(&home.database_url()).await.unwrap();
    assert_eq!(stored.runs.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_program_keeps_locked_is_told_in_time() {
    let home = Home::new();
    let mut holder = beside_a_store(&home).await;
    for statement in [
        "PRAGMA locking_mode = EXCLUSIVE",
        "BEGIN EXCLUSIVE",
        "DELETE FROM budget_requests",
    ] {
        sqlx::query(statement).execute(&mut holder).await.unwrap();
    }
    let said = ["another process keeps", "store.db locked", "stop it"];
    assert_refused(&home, &home.database_url(), &said).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_find_no_file_at_once_all_use_the_one_that_is_made() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let named = |name: &str| {
        let document = Document::of(&stub).name(name);
        home.write(&format!("{name}.yaml"), document.yaml())
    };
    let files = ["first", "second", "third"].map(named);
    let url = home.database_url();
    let running = files.map(|file| backfill(&home, &file, &url).start());
    for program in running {
        program.ended().await.with_code(0);
    }
}
