//! Answers of PostHog that are not what was asked for, and events that are odd but real.

use domain::storage::EventRow;
use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Endpoint, Event, Fault};
use test_postgres::Server;
use uuid::Uuid;

use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::shop::{self, PROJECT};
use crate::support::stored::Stored;

/// A column of an answer holds something else than it must: the run fails with one sentence that
/// names the row and the column, and never shows the value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_whose_type_changed_fails_the_run_and_stores_nothing() {
    let stub = shop::small_shop().await;
    for (column, json, said) in [
        ("uuid", "17", "uuid is a number instead of a uuid"),
        ("uuid", "\"17\"", "which is no uuid"),
        (
            "event",
            r#"{"name": "secret value"}"#,
            "event is an array or object instead of a text",
        ),
        (
            "distinct_id",
            "null",
            "distinct_id is null instead of a text",
        ),
        ("person_id", "[1]", "person_id is an array or object"),
        (
            "timestamp",
            "1764060000",
            "timestamp is a number instead of a time",
        ),
        (
            "timestamp",
            "\"10000-01-01T00:00:00Z\"",
            "which is no time that can be kept",
        ),
        (
            "created_at",
            "\"2026-01-01T00:00:00.000000001Z\"",
            "which is no time that can be kept",
        ),
        ("row_count", "-1", "row_count is no whole number"),
        ("row_count", "1.5", "row_count is no whole number"),
        ("price", "NaN", "PostHog"),
    ] {
        let home = Home::new();
        let file = home.write("connection.yaml", Document::of(&stub).yaml());
        let fault = Fault::Column {
            name: column.to_owned(),
            json: json.to_owned(),
        };
        stub.faults().always(Endpoint::Query, fault);
        let ended = home.sync(&file, "backfill").run().await;
        stub.faults().clear();
        ended.with_code(18).says(&[said]);
        ended.does_not_say(&["secret value"]);
        let errors = ended.stderr.matches("error: ").count();
        assert_eq!((errors, ended.stdout.as_str()), (1, ""), "{ended}");
        let left = Stored::read(&home.database_url()).await.unwrap();
        assert_eq!((left.events.len(), left.complete_runs()), (0, 0));
        home.sync(&file, "backfill").run().await.with_code(0);
    }
}

/// What may be absent or of any kind is kept as it came: an object as its JSON, NaN as nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_of_another_type_is_kept_as_its_text() {
    let stub = shop::small_shop().await;
    for (json, kept) in [
        (r#"{"amount": 1}"#, Some(r#"{"amount":1}"#)),
        ("19.90", Some("19.9")),
        ("true", Some("true")),
        ("null", None),
    ] {
        let home = Home::new();
        let file = home.write("connection.yaml", Document::of(&stub).yaml());
        let fault = Fault::Column {
            name: "price".to_owned(),
            json: json.to_owned(),
        };
        stub.faults().always(Endpoint::Query, fault);
        home.sync(&file, "backfill").run().await.with_code(0);
        stub.faults().clear();
        let stored = Stored::read(&home.database_url()).await.unwrap();
        let mut prices = stored.events.iter().map(|row| row.event.price.as_deref());
        assert!(prices.all(|price| price == kept), "{json}");
    }
}

/// Names and ids of 64 KiB, properties of 1 MiB, figures that are none, and times at the ends of
/// what ClickHouse can hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_any_size_and_time_are_stored_whole_in_both_stores() {
    let stub = shop::small_shop().await;
    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    let (long, huge) = ("n".repeat(65_536), "p".repeat(1 << 20));
    let odd = [
        Event::new(&long, &"d".repeat(65_536), hour_ago),
        Event::new("huge", "d", hour_ago)
            .property("$current_url", format!("https://shop.example/{huge}"))
            .property("product_id", huge.clone())
            .property("customer_id", huge.clone())
            .property("unread", huge.repeat(2)),
        Event::new("no figure", "d", hour_ago)
            .property("price", f64::NAN)
            .property("quantity", f64::INFINITY),
        Event::new("arrived in 2299", "d", hour_ago)
            .created_at("2299-12-31T23:59:59.999999Z".parse().unwrap()),
        Event::new("arrived in 1900", "d", hour_ago)
            .created_at("1900-01-01T00:00:00Z".parse().unwrap()),
        Event::new(
            "of 2299",
            "d",
            "2299-12-31T23:59:59.999999Z".parse().unwrap(),
        ),
        Event::new("of 1900", "d", "1900-01-01T00:00:00Z".parse().unwrap()),
    ];
    let uuids = odd.each_ref().map(|event| event.uuid);
    stub.edit(|world| {
        let project = world.project_mut(PROJECT).unwrap();
        for event in odd {
            project.capture(event);
        }
    });
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let in_sqlite = Stored::read(&home.database_url()).await.unwrap();

    let server = Server::shared().unwrap();
    server.create_database("odd", "template0").unwrap();
    let url = server.url("odd");
    let program = home
        .program(&["sync", "--mode", "backfill"])
        .variable("ORDINARY_POSTHOG_DATABASE_URL", &url)
        .reaching_loopback()
        .documents(&file);
    program.run().await.with_code(0);
    let in_postgres = Stored::read(&url).await.unwrap();
    in_postgres.assert_same(&in_sqlite);

    let found = |uuid: Uuid| -> Option<&EventRow> {
        in_sqlite.events.iter().find(|row| row.event.uuid == uuid)
    };
    let [named, large, no_figure, late, early, of_2299, of_1900] = uuids.map(found);
    let named = &named.unwrap().event;
    assert_eq!(named.event.as_str(), long);
    assert_eq!(named.distinct_id.len(), 65_536);
    let large = &large.unwrap().event;
    assert_eq!(large.product_id.as_deref(), Some(&*huge));
    assert_eq!(large.path.as_ref().map(String::len), Some(huge.len() + 1));
    let no_figure = &no_figure.unwrap().event;
    assert_eq!((&no_figure.price, &no_figure.quantity), (&None, &None));
    assert!(late.is_some() && early.is_some());
    assert!(of_2299.is_none() && of_1900.is_none(), "beyond the window");
}
