//! `sync`: one run, one JSON object as its last line, and nothing half-written when it fails.

use domain::day::{day_bounds, day_of};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Endpoint, Event, Fault, StubHandle};
use serde_json::Value;

use crate::support::documents::{Document, KEY};
use crate::support::home::Home;
use crate::support::program::Ended;
use crate::support::shop::{self, PROJECT};
use crate::support::stored::Stored;

/// More queries than any run of the small shop sends.
const MOST_QUERIES: usize = 30;

/// The summary of a run that ended well.
#[track_caller]
fn summary(ended: &Ended) -> Value {
    let last = ended.with_code(0).stdout.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(last).unwrap();
    assert!(summary.is_object(), "{ended}");
    summary
}

/// Distinct events of the stand-in's project.
fn distinct_events(stub: &StubHandle) -> u64 {
    stub.read(|world| {
        let events = world.project(PROJECT).unwrap().events();
        let mut uuids: Vec<_> = events.iter().map(|event| event.uuid).collect();
        uuids.sort_unstable();
        uuids.dedup();
        uuids.len() as u64
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_line_of_a_backfill_is_its_summary() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let before = Timestamp::now();
    let summary = summary(&home.sync(&file, "backfill").run().await);

    assert_eq!(summary["connection"], "default/storefront");
    assert_eq!(summary["mode"], "backfill");
    let instant = |field: &str| {
        summary[field]
            .as_str()
            .unwrap()
            .parse::<Timestamp>()
            .unwrap()
    };
    assert!(instant("to") >= before && instant("to") <= Timestamp::now());
    let thirty_days_ago = instant("to") - SignedDuration::from_hours(24 * 30);
    let its_day = day_of(thirty_days_ago, &TimeZone::UTC);
    assert_eq!(instant("from"), day_bounds(its_day, &TimeZone::UTC).0);
    let events = distinct_events(&stub);
    assert_eq!(summary["eventsRead"], events);
    assert_eq!(summary["eventsStored"], events);
    assert_eq!(summary["duplicates"], 0);
    assert_eq!(summary["lateEvents"], 0);
    let completeness = &summary["completeness"];
    assert!(
        completeness["verified"].as_u64().unwrap() >= 4,
        "{completeness}"
    );
    assert_eq!(
        (&completeness["pending"], &completeness["mismatch"]),
        (&Value::from(0), &Value::from(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_backfill_changes_nothing() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    summary(&home.sync(&file, "backfill").run().await);
    let first = Stored::read(&home.database_url()).await.unwrap();

    let again = summary(&home.sync(&file, "backfill").run().await);
    assert_eq!(
        (&again["eventsStored"], &again["eventsUpdated"]),
        (&Value::from(0), &Value::from(0))
    );
    assert_eq!(again["eventsRead"], again["duplicates"]);
    let second = Stored::read(&home.database_url()).await.unwrap();
    second.assert_same(&first);
    assert_eq!(second.change_seq, first.change_seq);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_takes_what_is_new_and_what_came_late_and_nothing_twice() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    summary(&home.sync(&file, "backfill").run().await);

    let now = Timestamp::now();
    let new = Event::new(
        "Product Added",
        "anon-1",
        now - SignedDuration::from_mins(10),
    );
    let late = Event::new(
        "newsletter signup",
        "anon-2",
        now - SignedDuration::from_hours(50),
    )
    .created_at(now);
    stub.edit(|world| {
        let project = world.project_mut(PROJECT).unwrap();
        project.capture(new.clone());
        project.capture(new.clone());
        project.capture(late.clone());
    });
    let refresh = summary(&home.sync(&file, "refresh").run().await);
    assert_eq!(refresh["mode"], "refresh");
    assert_eq!(
        (&refresh["eventsStored"], &refresh["lateEvents"]),
        (&Value::from(2), &Value::from(1))
    );
    let stored = Stored::read(&home.database_url()).await.unwrap();
    assert_eq!(stored.events.len() as u64, distinct_events(&stub));

    let again = summary(&home.sync(&file, "refresh").run().await);
    assert_eq!(
        (&again["eventsStored"], &again["eventsUpdated"]),
        (&Value::from(0), &Value::from(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_before_any_backfill_is_one() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let summary = summary(&home.sync(&file, "refresh").run().await);
    assert_eq!(summary["mode"], "backfill");
    assert_eq!(summary["eventsStored"], distinct_events(&stub));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_begin_leaves_nothing_behind() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let html = Fault::Html { status: 200 };
    for (code, document, fault) in [
        (
            11,
            Document::of(&stub).key("phx_SeCrEtPaRt_of_nobody"),
            None,
        ),
        (14, Document::of(&stub).project("99"), None),
        (16, Document::at("https://10.1.2.3"), None),
        (18, Document::of(&stub), Some((Endpoint::Query, html))),
        (
            18,
            Document::of(&stub),
            Some((Endpoint::Query, Fault::WrongColumns)),
        ),
        (
            19,
            Document::of(&stub),
            Some((Endpoint::Query, Fault::QuotaExceeded)),
        ),
        (21, Document::of(&stub).plan("free"), None),
    ] {
        if let Some((endpoint, fault)) = fault {
            stub.faults().always(endpoint, fault);
        }
        let file = home.write("connection.yaml", document.yaml());
        let ended = home.sync(&file, "backfill").run().await;
        ended.with_code(code);
        assert_eq!(ended.stdout, "", "a run that failed has no summary");
        stub.faults().clear();
        if home.database().exists()
            && let Some(stored) = Stored::read(&home.database_url()).await
        {
            assert_eq!((stored.events.len(), stored.complete_runs()), (0, 0));
        }
    }
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let summary = summary(&home.sync(&file, "backfill").run().await);
    assert_eq!(summary["eventsStored"], distinct_events(&stub));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_at_any_of_its_queries_is_completed_by_the_next() {
    let stub = shop::small_shop().await;
    let undisturbed = Home::new();
    let file = undisturbed.write("connection.yaml", Document::of(&stub).yaml());
    summary(&undisturbed.sync(&file, "backfill").run().await);
    let expected = Stored::read(&undisturbed.database_url()).await.unwrap();

    for at in 0..MOST_QUERIES {
        let home = Home::new();
        let file = home.write("connection.yaml", Document::of(&stub).yaml());
        stub.faults()
            .push_after(Endpoint::Query, at, usize::MAX, Fault::Html { status: 200 });
        let failed = home.sync(&file, "backfill").run().await;
        stub.faults().clear();
        if failed.code == Some(0) {
            assert!(at > 3, "the fault was never met\n{failed}");
            return;
        }
        failed.with_code(18);
        let left = Stored::read(&home.database_url()).await.unwrap();
        assert_eq!(left.complete_runs(), 0);
        summary(&home.sync(&file, "backfill").run().await);
        let stored = Stored::read(&home.database_url()).await.unwrap();
        stored.assert_same(&expected);
    }
    panic!("a backfill of the small shop takes more than {MOST_QUERIES} queries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_by_itself_is_waited_out() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let faults = stub.faults();
    faults.push(
        Endpoint::Query,
        Fault::Throttle {
            retry_after: Some(1),
        },
    );
    faults.push_after(Endpoint::Query, 1, 1, Fault::Concurrency);
    faults.push_after(Endpoint::Query, 2, 1, Fault::Busy);
    faults.push_after(Endpoint::Query, 4, 1, Fault::DatabaseUnavailable);
    faults.push_after(Endpoint::Query, 5, 1, Fault::Reset);
    let summary = summary(&home.sync(&file, "backfill").run().await);
    assert_eq!(faults.remaining(), 0);
    assert_eq!(summary["eventsStored"], distinct_events(&stub));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_during_a_run_stops_it_with_its_own_code() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    summary(&home.sync(&file, "backfill").run().await);
    stub.edit(|world| assert!(world.revoke_key(KEY)));
    let ended = home.sync(&file, "refresh").run().await;
    ended
        .with_code(11)
        .says(&["Invalid API key", "create a new personal API key"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_connections_one_must_be_chosen() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let both = [
        Document::of(&stub).yaml(),
        Document::of(&stub).name("other").yaml(),
    ]
    .join("\n---\n");
    let file = home.write("connections.yaml", both);
    let ended = home.sync(&file, "backfill").run().await;
    ended
        .with_code(10)
        .says(&["--connection", "default/storefront", "default/other"]);
    let wrong = home
        .sync(&file, "backfill")
        .arguments(&["--connection", "default/third"]);
    wrong
        .run()
        .await
        .with_code(10)
        .says(&["default/third", "default/storefront"]);
    let right = home
        .sync(&file, "backfill")
        .arguments(&["--connection", "default/other"]);
    assert_eq!(summary(&right.run().await)["connection"], "default/other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_used_is_told() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let text = home.write(
        "notes.txt",
        "not a database, but long enough to have a header",
    );
    let folder = file.parent().unwrap().display().to_string();
    for (url, said) in [
        (
            format!("sqlite://{}", text.display()),
            "is not a SQLite database",
        ),
        (format!("sqlite://{folder}"), "is not a file"),
        (
            "postgres://user:SeCrEtPaRt@host/name".to_owned(),
            "PostgreSQL",
        ),
        ("mysql://user:SeCrEtPaRt@host/name".to_owned(), "sqlite:///"),
        ("sqlite::memory:".to_owned(), "in memory"),
    ] {
        let program = home
            .program(&["sync", "--mode", "backfill"])
            .reaching_loopback()
            .documents(&file);
        let ended = program
            .variable("ORDINARY_POSTHOG_DATABASE_URL", &url)
            .run()
            .await;
        ended.with_code(20).says(&[said]);
    }
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_database_is_in_the_users_data_folder() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let program = home
        .program(&["sync", "--mode", "backfill"])
        .reaching_loopback()
        .documents(&file);
    summary(
        &program
            .variable("XDG_DATA_HOME", home.path().join("data").to_str().unwrap())
            .run()
            .await,
    );
    assert!(
        home.path()
            .join("data/ordinary-posthog/ordinary-posthog.db")
            .is_file()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_log_line_is_a_json_object_where_that_is_asked_for() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let ended = home
        .sync(&file, "backfill")
        .arguments(&["--log-format", "json"])
        .run()
        .await;
    summary(&ended);
    assert!(ended.stderr.lines().count() > 3, "{ended}");
    for line in ended.stderr.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(
            entry["message"].is_string() && entry["level"].is_string(),
            "{line}"
        );
    }
}
