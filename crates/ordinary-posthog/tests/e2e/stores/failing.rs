//! Databases that fail in the middle of a page, or keep a caller waiting.

use std::time::Duration;

use grpc::proto::v1;
use tonic::{Code, Request};

use super::{backfill, database, server};
use crate::support::api::Api;
use crate::support::documents::{CONNECTION, Document};
use crate::support::home::Home;
use crate::support::shop;
use crate::support::stored::Stored;

/// A backfill that fails with these words at one of its rows, by what `trigger` does there; then
/// nothing of the page is stored, and the next backfill ends like an undisturbed one.
async fn assert_page_fails(trigger: &str, said: &[&str]) {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let undisturbed = Stored::read(&home.database_url()).await.unwrap();

    let name = database();
    let url = server().url(&name);
    drop(
        store::open(&url, store::OpenOptions::default())
            .await
            .unwrap(),
    );
    server()
        .run(
            &name,
            &format!(
                "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN {trigger}; RETURN NEW; END $$;
                 CREATE TRIGGER trouble BEFORE INSERT ON events FOR EACH ROW
                    WHEN (NEW.event = 'Checkout Started') EXECUTE FUNCTION trouble()"
            ),
        )
        .unwrap();
    let failed = backfill(&home, &file, &url).run().await;
    failed.with_code(20).says(said);
    assert_eq!(failed.stdout, "", "a run that failed has no summary");
    let left = Stored::read(&url).await.unwrap();
    assert_eq!((left.events.len(), left.complete_runs()), (0, 0));
    assert!(left.daily.is_empty() && left.stages.is_empty() && left.links.is_empty());

    let mended = "DROP TRIGGER trouble ON events";
    server().run(&name, mended).unwrap();
    backfill(&home, &file, &url).run().await.with_code(0);
    let stored = Stored::read(&url).await.unwrap();
    stored.assert_same(&undisturbed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_in_the_middle_of_a_page_leaves_nothing_of_it() {
    let lost = "PERFORM pg_terminate_backend(pg_backend_pid())";
    // Whether the server's last word arrives before the connection breaks is up to chance.
    assert_page_fails(lost, &["the store does not answer", "PostgreSQL"]).await;
}

/// What PostgreSQL raises when it cannot make a file longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_in_the_middle_of_a_page_leaves_nothing_of_it() {
    let full = "RAISE 'could not extend file' USING ERRCODE = 'disk_full'";
    let said = [
        "the disk of the PostgreSQL server is full",
        "free some space",
    ];
    assert_page_fails(full, &said).await;
}

/// What is stored waits for a lock that somebody else keeps; the call does not wait with it, and
/// its statement ends too: by itself it would wait for as long as the lock is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_deadline_passes_ends_its_statement_in_postgresql() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let name = database();
    let url = server().url(&name);
    backfill(&home, &file, &url).run().await.with_code(0);
    let (program, at) = home.serve_from(&url);
    let mut serve = program.start();
    let mut api = Api::of(&mut serve, at.grpc).await;
    api.funnel().await.unwrap();

    let sessions = |how: &str| {
        let of = "SELECT count(*) FROM pg_stat_activity WHERE datname =";
        let count = format!("{of} '{name}' AND {how}");
        server().run("postgres", &count).unwrap()
    };
    let locking = std::thread::spawn({
        let name = name.clone();
        move || {
            // Ended from outside, which psql tells as a failure.
            let lock = "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600)";
            let _ = server().run(&name, lock);
        }
    });
    let is_locked = async || (sessions("wait_event = 'PgSleep'") == "1").then_some(());
    serve.until("the table is locked", is_locked).await;

    let mut request = Request::new(v1::ListMappedEventsRequest {
        parent: CONNECTION.to_owned(),
        ..Default::default()
    });
    // Long enough for the statement to be seen waiting on a busy machine.
    request.set_timeout(Duration::from_secs(10));
    let waits = "wait_event_type = 'Lock'";
    let (answer, ()) = tokio::join!(api.events.list_mapped_events(request), async {
        let is_waiting = async || (sessions(waits) == "1").then_some(());
        serve.until("the statement waits", is_waiting).await;
    });
    // Tonic's client keeps the deadline too, and may be the first of the two.
    let code = answer.unwrap_err().code();
    let is_over = matches!(code, Code::DeadlineExceeded | Code::Cancelled);
    assert!(is_over, "{code:?}");
    let has_ended = async || (sessions(waits) == "0").then_some(());
    serve.until("the statement has ended", has_ended).await;

    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event = 'PgSleep'"
    );
    server().run("postgres", &end).unwrap();
    locking.join().unwrap();
    assert!(!api.mapped_events(100).await.is_empty());
    serve.interrupt();
    serve.ended().await.with_code(0);
}
