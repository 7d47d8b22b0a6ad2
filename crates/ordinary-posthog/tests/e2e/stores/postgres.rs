//! PostgreSQL databases that are refused when the program opens them.

use store::OpenOptions;
use test_postgres::Server;

use super::{backfill, database, server};
use crate::support::documents::{Document, SECRET_PART};
use crate::support::home::Home;
use crate::support::host::Nobody;
use crate::support::shop;

/// A database that a program of this version has made, changed by this statement since.
async fn made_and_changed(statement: &str) -> String {
    let name = database();
    let url = server().url(&name);
    drop(store::open(&url, OpenOptions::default()).await.unwrap());
    server().run(&name, statement).unwrap();
    url
}

/// Fails unless the program refuses the database with these words before it asks PostHog anything.
async fn assert_refused(url: &str, said: &[&str]) {
    let home = Home::new();
    assert_not_pulled(&home, url, said).await;
    // Whoever only serves it is told the same.
    let (program, _) = home.serve_from(url);
    program.run().await.with_code(20).says(said);
}

async fn assert_not_pulled(home: &Home, url: &str, said: &[&str]) {
    let stub = shop::small_shop().await;
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let ended = backfill(home, &file, url).run().await;
    ended.with_code(20).says(said);
    assert_eq!(ended.stdout, "", "a run that failed has no summary");
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_database_is_named_with_the_fix() {
    let url = server().url("nowhere");
    assert_refused(&url, &["has no database \"nowhere\"", "create it"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_and_never_printed() {
    let name = database();
    let role = "CREATE ROLE clerk LOGIN PASSWORD 'right'";
    server().run(&name, role).unwrap();
    // That no run here prints this part of a secret is looked at by every test.
    let url = server().url_of("clerk", &format!("wrong-{SECRET_PART}"), &name);
    let said = ["does not let user \"clerk\" in", "password"];
    assert_refused(&url, &said).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_only_read_is_told_the_right_that_is_missing() {
    let url = made_and_changed(
        "CREATE ROLE reader LOGIN PASSWORD 'right';
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    .await;
    let url = url.replace("user=postgres&password=", "user=reader&password=right");
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let ended = backfill(&home, &file, &url).run().await;
    ended.with_code(20).says(&["lacks a right", "grant it"]);
    assert!(stub.requests().is_empty());
    let name = database();
    server()
        .run(&name, "REVOKE CREATE ON SCHEMA public FROM public")
        .unwrap();
    let url = server().url_of("reader", "right", &name);
    assert_refused(&url, &["may not create tables", "grant it CREATE"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_refused_for_it_takes_no_writes() {
    let standby = Server::start(&[]).unwrap();
    standby.stop();
    std::fs::write(standby.socket().join("data/standby.signal"), "").unwrap();
    standby.resume().unwrap();
    let said = ["takes no writes", "name the primary"];
    assert_refused(&standby.url("postgres"), &said).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_says_to_upgrade_the_program() {
    let url = made_and_changed(
        "INSERT INTO ordinary_posthog_migrations (version, description, checksum)
         VALUES (9999, 'from the future', '')",
    )
    .await;
    assert_refused(&url, &["has schema 9999", "upgrade ordinary-posthog"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_not_ours_is_refused() {
    let changed = "UPDATE ordinary_posthog_migrations SET checksum = 'x'";
    let url = made_and_changed(changed).await;
    assert_refused(&url, &["not as this program left it", "restore a backup"]).await;
    let name = database();
    server()
        .run(&name, "CREATE TABLE events (title text)")
        .unwrap();
    let said = ["another program's tables (events)", "name one of"];
    assert_refused(&server().url(&name), &said).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_older_than_14_is_refused() {
    let name = database();
    // What PostgreSQL 13 says, by a function that is found before the server's own.
    server()
        .run(
            &name,
            "CREATE FUNCTION current_setting(name text) RETURNS text LANGUAGE sql AS
                $$ SELECT CASE name WHEN 'server_version_num' THEN '130023' WHEN 'server_version'
                    THEN '13.23' ELSE pg_catalog.current_setting(name) END $$",
        )
        .unwrap();
    let first = "options=-csearch_path%3Dpublic,pg_catalog";
    let url = format!("{}&{first}", server().url(&name));
    let said = ["PostgreSQL 13.23, and 14 or later", "upgrade the server"];
    assert_refused(&url, &said).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_told_with_its_place() {
    let nobody = Nobody::new();
    let place = nobody.address();
    let url = format!("postgres://user:{SECRET_PART}@{place}/name");
    let said = [&*format!("{place} does not answer"), "check that it runs"];
    // `serve` says it too, and waits: `serve::a_database_that_does_not_answer_yet_is_waited_for`.
    assert_not_pulled(&Home::new(), &url, &said).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_that_find_an_empty_database_at_once_both_use_it() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let url = server().url(&database());
    let named = |name: &str| {
        let document = Document::of(&stub).name(name);
        home.write(&format!("{name}.yaml"), document.yaml())
    };
    let files = ["first", "second", "third"].map(named);
    let running = files.map(|file| backfill(&home, &file, &url).start());
    for program in running {
        program.ended().await.with_code(0);
    }
}
