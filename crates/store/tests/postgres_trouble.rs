//! What goes wrong with PostgreSQL: what is refused when a database is opened, one clear sentence
//! each, and what a page does when the server fails in the middle of it.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unused_macros, unused_imports)]
mod suite;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::storage::{Store, StoreError};
use sqlx::migrate::Migrator;
use store::{OpenOptions, open};
use test_postgres::Server;

use suite::fixtures::{Site, event, hours};
use suite::oracle::Oracle;
use suite::{Database, earlier};

fn server() -> &'static Server {
    match Server::shared() {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}

/// A new database without tables.
fn database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("trouble_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server().create_database(&name, "template0").unwrap();
    name
}

struct Named(String);

#[async_trait]
impl Database for Named {
    async fn open(&self) -> Arc<dyn Store> {
        open(&server().url(&self.0), OpenOptions::default())
            .await
            .unwrap()
    }
}

async fn refused(url: &str) -> StoreError {
    refused_with(url, OpenOptions::default()).await
}

async fn refused_with(url: &str, options: OpenOptions) -> StoreError {
    match open(url, options).await {
        Err(error) => {
            assert!(!error.to_string().contains("secret"), "{error}");
            error
        }
        Ok(_) => panic!("{url} was opened"),
    }
}

async fn unusable(url: &str) -> String {
    match refused(url).await {
        StoreError::Unusable { detail } => detail,
        other => panic!("not unusable but {other:?}"),
    }
}

async fn unavailable(url: &str) -> String {
    match refused(url).await {
        StoreError::Unavailable { detail } => detail,
        other => panic!("not unavailable but {other:?}"),
    }
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let said = unusable(&server().url("nowhere")).await;
    assert!(said.contains("has no database \"nowhere\""), "{said}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let name = database();
    server()
        .run(&name, "CREATE ROLE clerk LOGIN PASSWORD 'right'")
        .unwrap();
    let said = unusable(&server().url_of("clerk", "secret", &name)).await;
    assert!(said.contains("does not let user \"clerk\" in"), "{said}");
    let said = unusable(&server().url_of("nobody", "secret", &name)).await;
    assert!(said.contains("does not let user \"nobody\" in"), "{said}");
}

#[tokio::test]
async fn a_user_without_rights_is_told_which() {
    let name = database();
    server()
        .run(
            &name,
            "CREATE ROLE guest LOGIN PASSWORD 'right'; REVOKE CREATE ON SCHEMA public FROM public",
        )
        .unwrap();
    let url = server().url_of("guest", "right", &name);
    let said = unusable(&url).await;
    assert!(said.contains("may not create tables"), "{said}");
    // Once somebody else made them, the rights to the tables are missing.
    Named(name.clone()).open().await;
    let said = unusable(&url).await;
    assert!(said.contains("lacks a right"), "{said}");
}

#[tokio::test]
async fn a_default_of_only_reading_does_not_keep_the_store_from_writing() {
    let name = database();
    server()
        .run(
            &name,
            &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
        )
        .unwrap();
    let store = Named(name).open().await;
    store.page_token_keys().await.unwrap();
}

#[tokio::test]
async fn a_standby_is_refused() {
    let standby = Server::start(&[]).unwrap();
    let url = standby.url("postgres");
    let store = open(&url, OpenOptions::default()).await.unwrap();
    standby.stop();
    std::fs::write(standby.socket().join("data/standby.signal"), "").unwrap();
    standby.resume().unwrap();
    let said = unusable(&url).await;
    assert!(said.contains("takes no writes"), "{said}");
    // So does one that became a standby, while what is there can be read.
    let said = store.release_all_of("nobody").await.unwrap_err();
    assert!(said.to_string().contains("takes no writes"), "{said}");
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_says_it_is_older_than_14_is_refused() {
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
    let said = unusable(&format!("{}&{first}", server().url(&name))).await;
    assert!(
        said.contains("PostgreSQL 13.23, and 14 or later is needed: upgrade the server"),
        "{said}"
    );
}

/// `tools/test postgres` names the programs of a PostgreSQL 13.
#[tokio::test]
#[ignore = "needs PostgreSQL 13: tools/test postgres has it"]
async fn postgresql_13_is_refused_and_left_alone() {
    assert_eq!(server().binaries().major().unwrap(), 13);
    let name = database();
    let said = unusable(&server().url(&name)).await;
    assert!(said.contains("and 14 or later is needed"), "{said}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(server().run(&name, tables).unwrap(), "0");
}

#[tokio::test]
async fn a_newer_schema_says_to_upgrade_the_program() {
    let name = database();
    let store = Named(name.clone()).open().await;
    server()
        .run(
            &name,
            "INSERT INTO ordinary_posthog_migrations (version, description, checksum)
             VALUES (9999, 'from the future', '')",
        )
        .unwrap();
    let said = unusable(&server().url(&name)).await;
    assert!(
        said.contains("has schema 9999") && said.contains("upgrade ordinary-posthog"),
        "{said}"
    );
    // One that was open when another program upgraded the database says so too.
    let said = store.ping().await.unwrap_err().to_string();
    assert!(said.contains("upgrade ordinary-posthog"), "{said}");
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_by_a_restart() {
    let name = database();
    let store = Named(name.clone()).open().await;
    server()
        .run(&name, "DELETE FROM ordinary_posthog_migrations")
        .unwrap();
    let said = store.ping().await.unwrap_err().to_string();
    assert!(
        said.contains("older schema") && said.contains("restart the program"),
        "{said}"
    );
}

/// As a program of the first version left it.
#[tokio::test]
async fn the_first_schema_is_brought_up_to_date_with_its_rows() {
    static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");
    let name = database();
    let first = MIGRATIONS.iter().next().unwrap();
    let checksum: String = first.checksum.iter().map(|b| format!("{b:02x}")).collect();
    server()
        .run(
            &name,
            &format!(
                "CREATE TABLE ordinary_posthog_migrations (version bigint PRIMARY KEY,
                    description text NOT NULL, checksum bytea NOT NULL,
                    installed_on timestamptz NOT NULL DEFAULT now());
                 INSERT INTO ordinary_posthog_migrations (version, description, checksum)
                    VALUES ({}, 'first', '\\x{checksum}');
                 {}
                 INSERT INTO page_token_keys (key) VALUES (sha256('a'))",
                first.version,
                first.sql.as_str()
            ),
        )
        .unwrap();
    let store = Named(name.clone()).open().await;
    store.ping().await.unwrap();
    let applied = "SELECT count(*) FROM ordinary_posthog_migrations";
    let applied: usize = server().run(&name, applied).unwrap().parse().unwrap();
    assert_eq!(applied, MIGRATIONS.iter().count());
    let kept = "SELECT count(*) FROM page_token_keys WHERE key = sha256('a')";
    assert_eq!(server().run(&name, kept).unwrap(), "1");
}

/// What else is to be undone than in every database.
const BACK_TO_VERSION_2: &str = "
    DROP INDEX person_links_of_id;
    CREATE UNIQUE INDEX person_links_current ON person_links
        (epoch, left(distinct_id, 500), hashtextextended(distinct_id, 0)) WHERE valid_to IS NULL;
    CREATE INDEX person_links_in_order ON person_links (epoch, left(distinct_id, 500));
    DROP INDEX identity_facts_merged;
    UPDATE connections SET desired = (desired::jsonb - 'deletion')::text;
    DELETE FROM ordinary_posthog_migrations WHERE version >= 3;";

#[tokio::test]
async fn rows_of_an_earlier_schema_are_kept_and_go_only_once_somebody_said_so() {
    let name = database();
    earlier::rows_are_kept(&Named(name.clone()), async || {
        let back = format!("{}{BACK_TO_VERSION_2}", earlier::BACK_TO_VERSION_2);
        server().run(&name, &back).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_schema_that_somebody_changed_is_refused() {
    let name = database();
    let store = Named(name.clone()).open().await;
    server()
        .run(
            &name,
            "UPDATE ordinary_posthog_migrations SET checksum = 'x'",
        )
        .unwrap();
    let said = unusable(&server().url(&name)).await;
    assert!(said.contains("not as this program left it"), "{said}");
    server().run(&name, "DROP TABLE leases").unwrap();
    let said = store.release_all_of("nobody").await.unwrap_err();
    assert!(matches!(said, StoreError::Unusable { .. }), "{said}");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let name = database();
    server()
        .run(&name, "CREATE TABLE events (title text)")
        .unwrap();
    let said = unusable(&server().url(&name)).await;
    assert!(said.contains("another program's tables (events)"), "{said}");
    let tables = server()
        .run(
            &name,
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
        )
        .unwrap();
    assert_eq!(tables, "1");
}

#[tokio::test]
async fn an_encoding_that_cannot_hold_every_text_is_refused() {
    let by_libc = match server().binaries().major().unwrap() {
        14 => "",
        _ => "LOCALE_PROVIDER libc",
    };
    server()
        .run(
            "postgres",
            &format!(
                "CREATE DATABASE narrow TEMPLATE template0 ENCODING 'SQL_ASCII'
                 LC_COLLATE 'C' LC_CTYPE 'C' {by_libc}"
            ),
        )
        .unwrap();
    let said = unusable(&server().url("narrow")).await;
    assert!(said.contains("SQL_ASCII"), "{said}");
}

#[tokio::test]
async fn what_does_not_answer_or_is_not_postgresql_is_told_apart() {
    let said = unavailable("postgres://u:secret@127.0.0.1:1/d").await;
    assert!(said.contains("127.0.0.1:1 does not answer"), "{said}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let said = unusable(&format!("postgres://u:secret@{place}/d")).await;
    assert!(said.contains("is not PostgreSQL"), "{said}");
    // Without TLS it is not asked for a sign that only PostgreSQL gives.
    let said = unavailable(&format!("postgres://u:secret@{place}/d?sslmode=disable")).await;
    assert!(said.contains("is not PostgreSQL"), "{said}");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap();
    let impatient = OpenOptions {
        busy_timeout: Duration::from_millis(500),
        ..OpenOptions::default()
    };
    let said = refused_with(&format!("postgres://u:secret@{place}/d"), impatient).await;
    assert!(matches!(said, StoreError::Unavailable { .. }), "{said:?}");
    let said = said.to_string();
    assert!(said.contains("did not answer within 500ms"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_database_at_once() {
    let name = database();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = server().url(&name);
            tokio::spawn(async move { open(&url, OpenOptions::default()).await })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap().ping().await.unwrap();
    }
}

/// A site of which a page fails by what `trigger` does at one of its rows, in the middle.
async fn failing_page(trigger: &str) -> (Site, Oracle, StoreError, String) {
    let name = database();
    let mut site = Site::new(&Named(name.clone())).await;
    let mut oracle = Oracle::default();
    let early = [event(1, "a", "d", hours(1))];
    site.store(&early).await;
    oracle.apply(&early);
    server()
        .run(
            &name,
            &format!(
                "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN {trigger}; RETURN NEW; END $$;
                 CREATE TRIGGER trouble BEFORE INSERT ON events FOR EACH ROW
                    WHEN (NEW.event = 'trouble') EXECUTE FUNCTION trouble()"
            ),
        )
        .unwrap();
    let mut events: Vec<_> = (2..4000)
        .map(|n| event(n, "a", &format!("d{n}"), hours(2)))
        .collect();
    events[2000].event = "trouble".into();
    events.push(event(1, "b", "d", hours(3)));
    let page = site.page(&events).await;
    let before = site.store.runs(site.id, None, 1).await.unwrap();
    let error = site
        .store
        .apply_page(&site.lease, page.clone())
        .await
        .unwrap_err();
    // Nothing is half-written, and the next page finds a connection.
    oracle.assert_kept(&*site.store, site.id).await;
    assert_eq!(site.store.runs(site.id, None, 1).await.unwrap(), before);
    server()
        .run(&name, "DROP TRIGGER trouble ON events")
        .unwrap();
    let outcome = site
        .store
        .apply_page(&site.lease, page.clone())
        .await
        .unwrap();
    assert_eq!((outcome.stored, outcome.updated), (3998, 1));
    (site, oracle, error, name)
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_of_a_page_leaves_nothing_of_it() {
    let (.., error, _) = failing_page("PERFORM pg_terminate_backend(pg_backend_pid())").await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_full_disk_says_so_and_leaves_nothing_of_a_page() {
    let (.., error, _) =
        failing_page("RAISE 'could not extend file' USING ERRCODE = 'disk_full'").await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("disk"), "{error}");
}

#[tokio::test]
async fn a_page_cut_off_by_its_caller_leaves_nothing_and_frees_its_connection() {
    let name = database();
    let mut site = Site::new(&Named(name.clone())).await;
    let events: Vec<_> = (0..5000)
        .map(|n| event(n, "a", &format!("d{n}"), hours(2)))
        .collect();
    let page = site.page(&events).await;
    for cut in 0..40 {
        let cut = Duration::from_micros(500 * cut);
        let _ = tokio::time::timeout(cut, site.store.apply_page(&site.lease, page.clone())).await;
        let counted = site
            .store
            .count_by_utc_day(site.id, suite::oracle::EARLIEST, suite::oracle::LATEST)
            .await
            .unwrap();
        let stored: u64 = counted.iter().map(|(_, count)| count).sum();
        assert!(stored == 0 || stored == 5000, "{stored} of a page");
    }
    site.store
        .apply_page(&site.lease, page.clone())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up() {
    let name = database();
    let site = Site::new(&Named(name.clone())).await;
    // What meets the lock waits for as long as it takes to be given up, and what goes well has this long.
    let options = OpenOptions {
        statement_timeout: Duration::from_secs(5),
        busy_timeout: Duration::from_secs(5),
        ..OpenOptions::default()
    };
    let store = open(&server().url(&name), options).await.unwrap();
    let lock = server().lock_tables(&name, &["runs", "leases"]).unwrap();
    let (read, written) = tokio::join!(
        store.runs(site.id, None, 1),
        store.renew_lease(&site.lease, Duration::from_secs(60)),
    );
    let said = read.unwrap_err().to_string();
    assert!(said.contains("took longer over a statement"), "{said}");
    let said = written.unwrap_err().to_string();
    assert!(said.contains("kept rows locked"), "{said}");
    drop(lock);
    store.runs(site.id, None, 1).await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_restarted_is_found_again() {
    let own = Server::start(&[]).unwrap();
    let store = open(&own.url("postgres"), OpenOptions::default())
        .await
        .unwrap();
    let keys = store.page_token_keys().await.unwrap();
    own.stop();
    let said = store.ping().await.unwrap_err();
    assert!(matches!(said, StoreError::Unavailable { .. }), "{said}");
    let said = unavailable(&own.url("postgres")).await;
    assert!(said.contains("does not answer"), "{said}");
    own.resume().unwrap();
    assert_eq!(store.page_token_keys().await.unwrap(), keys);
    store.ping().await.unwrap();
}
