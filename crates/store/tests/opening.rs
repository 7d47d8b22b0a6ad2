//! What is refused when a SQLite file is opened: one clear sentence each, and nothing touched.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use domain::storage::StoreError;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use store::{OpenOptions, open};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

async fn plain_connection(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap()
}

/// Runs a statement behind the store's back.
async fn meddle(path: &Path, statement: &'static str) {
    let mut connection = plain_connection(path).await;
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

async fn refusal(url: &str) -> String {
    let options = OpenOptions {
        busy_timeout: Duration::from_millis(200),
        ..OpenOptions::default()
    };
    match open(url, options).await {
        Err(StoreError::Unusable { detail }) => detail,
        Err(other) => panic!("not unusable but {other:?}"),
        Ok(_) => panic!("{url} was opened"),
    }
}

#[tokio::test]
async fn a_new_file_is_made_with_its_folder_for_its_owner_alone() {
    let folder = folder();
    let path = folder.path().join("a/b/store.db");
    let store = open(&url(&path), OpenOptions::default()).await.unwrap();
    store.page_token_keys().await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", path.display());
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_file_at_once() {
    let folder = folder();
    let path = folder.path().join("store.db");
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = url(&path);
            tokio::spawn(async move { open(&url, OpenOptions::default()).await })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_a_sqlite_file_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "Dear diary, today the shop sold nothing.").unwrap();
    let said = refusal(&url(&path)).await;
    assert!(
        said.contains("notes.txt is not a SQLite database"),
        "{said}"
    );
    assert!(fs::read_to_string(&path).unwrap().starts_with("Dear diary"));
    let said = refusal(&url(folder.path())).await;
    assert!(said.contains("is not a file"), "{said}");
    // It begins like one, and then it is none.
    fs::write(&path, b"SQLite format 3\0 and so on").unwrap();
    let said = refusal(&url(&path)).await;
    assert!(said.contains("is not a SQLite database"), "{said}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("places.sqlite");
    meddle(&path, "CREATE TABLE bookmarks (url TEXT)").await;
    let said = refusal(&url(&path)).await;
    assert!(
        said.contains("is a SQLite database of another program"),
        "{said}"
    );
    let mut connection = plain_connection(&path).await;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_newer_schema_says_to_upgrade_the_program() {
    let folder = folder();
    let path = folder.path().join("store.db");
    let store = open(&url(&path), OpenOptions::default()).await.unwrap();
    meddle(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .await;
    let said = refusal(&url(&path)).await;
    assert!(
        said.contains("has schema 9999") && said.contains("upgrade ordinary-posthog"),
        "{said}"
    );
    // One that was open when another program upgraded the file says so too.
    let answer = store.ping().await;
    assert!(
        matches!(answer, Err(StoreError::Unusable { .. })),
        "{answer:?}"
    );
}

/// As a program of the first version left it.
#[tokio::test]
async fn the_first_schema_is_brought_up_to_date_with_its_rows() {
    static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
    let folder = folder();
    let path = folder.path().join("store.db");
    let mut old = plain_connection(&path).await;
    let first = MIGRATIONS.iter().next().unwrap().version;
    MIGRATIONS.run_to(first, &mut old).await.unwrap();
    sqlx::raw_sql(
        "PRAGMA application_id = 0x4f725048;
         INSERT INTO page_token_keys (key) VALUES (x'2a')",
    )
    .execute(&mut old)
    .await
    .unwrap();
    old.close().await.unwrap();
    let store = open(&url(&path), OpenOptions::default()).await.unwrap();
    store.ping().await.unwrap();
    let mut now = plain_connection(&path).await;
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations")
        .fetch_one(&mut now)
        .await
        .unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), MIGRATIONS.iter().count());
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM page_token_keys WHERE key = x'2a'")
        .fetch_one(&mut now)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_schema_that_somebody_changed_is_refused() {
    let folder = folder();
    let path = folder.path().join("store.db");
    drop(open(&url(&path), OpenOptions::default()).await.unwrap());
    meddle(
        &path,
        "UPDATE _sqlx_migrations SET checksum = x'00', version = version - 1",
    )
    .await;
    let said = refusal(&url(&path)).await;
    assert!(
        said.contains("schema") && said.contains("store.db"),
        "{said}"
    );
}

#[tokio::test]
async fn a_read_only_file_is_refused() {
    let folder = folder();
    let path = folder.path().join("store.db");
    drop(open(&url(&path), OpenOptions::default()).await.unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let said = refusal(&url(&path)).await;
    assert!(said.contains("store.db cannot be written"), "{said}");
}

#[tokio::test]
async fn a_file_that_stays_locked_is_refused_in_time() {
    let folder = folder();
    let path = folder.path().join("store.db");
    let mut holder = plain_connection(&path).await;
    sqlx::raw_sql("BEGIN EXCLUSIVE")
        .execute(&mut holder)
        .await
        .unwrap();
    let said = refusal(&url(&path)).await;
    assert!(
        said.contains("another process keeps") && said.contains("locked for longer than 200ms"),
        "{said}"
    );
}

#[tokio::test]
async fn a_name_that_cannot_be_opened_is_refused_before_anything_is_made() {
    let said = refusal("postgres://user:secret/@host/database").await;
    assert!(said.contains("the database URL cannot be read"), "{said}");
    assert!(!said.contains("secret"));
    let said = refusal("sqlite::memory:").await;
    assert!(said.contains("in memory"), "{said}");
}
