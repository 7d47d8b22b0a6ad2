//! Backfills by file exports: the same rows as by queries, gone on with at the file and line, and queries
//! where exports come to nothing.

mod heavy_columns;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ConnectionName;
use domain::backfill_way::{BackfillVia, Via};
use domain::storage::{RunEnd, Store};
use domain::sync::SyncMode;
use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Endpoint, Event, ExportOutcome, ExportPolicy, Fault, Project, PropertyType};
use sync::progress::{Progress, Silent, Update};
use sync::{RunSummary, SyncError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::exact::database::Database;
use crate::oracle::{assert_exact, project};
use crate::shop::{KEY, NOW, Shop, at, days};

const READS: [&str; 4] = [
    "query:read",
    "project:read",
    "event_definition:read",
    "cohort:read",
];

/// What the oracle's projects lack: stragglers, events of the last minutes, odd and typed properties,
/// persons who were merged after their events.
fn odd_project(seed: u64) -> Project {
    let mut project = project(seed, 700, at(NOW), days(40));
    let types = &mut project.property_types;
    types.insert("price".to_owned(), PropertyType::Numeric);
    let uuid = |nth: u64| Uuid::from_u128(u128::from(seed) << 64 | u128::from(nth));
    let event = |nth: u64, stamp: Timestamp, received: Timestamp| {
        Event::new("product added to cart", &format!("odd-{}", nth % 5), stamp)
            .uuid(uuid(nth))
            .created_at(received)
            .property("price", ["19.90", "n/a", "1e3"][nth as usize % 3])
            .property("sku", format!("a \"quoted\" {nth}\n"))
            .property("quantity", nth as i64)
    };
    for nth in 0..60 {
        // Stamped up to 29 days before it was received.
        let received = at(NOW) - SignedDuration::from_hours(nth as i64 * 11);
        let stamp = received - SignedDuration::from_hours(nth as i64 * 29 % 700);
        project.capture(event(nth, stamp, received));
        let just_now = at(NOW) - SignedDuration::from_secs(nth as i64 * 15);
        project.capture(event(1000 + nth, just_now, just_now));
    }
    project.merge("odd-1", "odd-2");
    project.merge("visitor-1", "visitor-2");
    project
}

/// A shop whose key consents to exports by this name, and that is asked to read by this way.
async fn shop_in(store: Arc<dyn Store>, project: Project, via: BackfillVia) -> Shop {
    let mut shop = Shop::open_in(project, store).await;
    allow(&mut shop, via);
    shop
}

fn allow(shop: &mut Shop, via: BackfillVia) {
    let scopes = READS.iter().chain(&["batch_export:write"]);
    shop.stub.edit(|world| {
        let scopes = scopes.map(|&scope| scope.to_owned()).collect();
        world.key_mut(KEY).unwrap().scopes = Some(scopes);
    });
    shop.settings.backfill_via = via;
}

async fn shop(seed: u64, via: BackfillVia) -> Shop {
    let mut shop = Shop::open(odd_project(seed)).await;
    allow(&mut shop, via);
    shop
}

/// Rows that queries of pages answered.
fn rows_by_queries(shop: &Shop) -> usize {
    let requests = shop.stub.requests();
    let pages = requests
        .iter()
        .filter(|request| request.name.as_deref() == Some("ordinary_posthog_page"));
    pages.map(|request| request.rows).sum()
}

fn way(summary: &RunSummary) -> (Via, &str) {
    let way = summary.way.as_ref().unwrap();
    (way.via, &way.why)
}

async fn both_ways_agree(database: &Database, other: &Database) {
    let by_exports = shop_in(
        database.open().await,
        odd_project(5),
        BackfillVia::FileExport,
    )
    .await;
    by_exports.stub.set_exports(ExportPolicy {
        rows_a_file: 50,
        ..ExportPolicy::default()
    });
    let by_queries = shop_in(other.open().await, odd_project(5), BackfillVia::Query).await;
    let summary = by_exports.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(
        way(&summary),
        (Via::FileExport, "spec.backfill.via is FileExport")
    );
    assert_eq!(summary.repull_passes, 0, "no day had to be read again");
    let proof = &summary.completeness;
    assert_eq!((proof.pending, proof.mismatch), (0, 0), "{proof:?}");
    assert_exact(&by_exports, summary.from, summary.to).await;
    let asked = by_queries.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(way(&asked), (Via::Query, "spec.backfill.via is Query"));
    // Whole rows, each column.
    let (one, other) = (by_exports.rows().await, by_queries.rows().await);
    assert_eq!(one.len(), other.len());
    for (one, other) in one.into_iter().zip(other) {
        assert_eq!(one, other);
    }
    assert_eq!(by_exports.stub.exports_started(), 5);
    let (few, all) = (rows_by_queries(&by_exports), rows_by_queries(&by_queries));
    assert!(
        few * 3 < all,
        "queries gave {few} rows beside exports, {all} alone"
    );
    let requests = by_exports.stub.requests();
    let mut fetched = requests.iter().filter(|r| r.endpoint == Endpoint::Bucket);
    assert!(fetched.all(|request| !request.authorized && request.status == 200));
    // And the refresh after it finds nothing to put right.
    by_exports.pass(SignedDuration::from_hours(1));
    let next = by_exports.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(
        (next.totals.events_updated, next.totals.events_removed),
        (0, 0)
    );
    assert_eq!(next.way, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_and_queries_end_in_the_same_rows_in_sqlite() {
    both_ways_agree(&Database::sqlite(), &Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_and_queries_end_in_the_same_rows_in_postgresql() {
    let database = Database::postgres("exports");
    both_ways_agree(&database, &Database::sqlite()).await;
}

/// Ends the run when so many pages are stored.
struct AtPage {
    left: AtomicUsize,
    now: Arc<Notify>,
}

impl Progress for AtPage {
    fn report(&self, _: &ConnectionName, update: Update) {
        if matches!(update, Update::Read(_)) && self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.now.notify_one();
        }
    }
}

/// Drops the run after some pages, as a crash would. Whether it was done before.
async fn run_until_dropped(shop: &Shop, pages: usize) -> bool {
    let now = Arc::new(Notify::new());
    let progress = Arc::new(AtPage {
        left: AtomicUsize::new(pages),
        now: Arc::clone(&now),
    });
    let run = shop.run_told(SyncMode::Backfill, progress, CancellationToken::new());
    tokio::select! {
        biased;
        () = now.notified() => false,
        done = run => {
            done.unwrap();
            true
        }
    }
}

async fn killed_runs_are_gone_on_with(database: &Database) {
    let mut shop = shop_in(
        database.open().await,
        odd_project(6),
        BackfillVia::FileExport,
    )
    .await;
    // Several pages a file, so that kills come in the middle of one.
    shop.page_rows = Some(20);
    shop.stub.set_exports(ExportPolicy {
        rows_a_file: 90,
        ..ExportPolicy::default()
    });
    let mut kills = 0;
    for pages in [0, 1, 3, 5, 2, 7] {
        if run_until_dropped(&shop, pages).await {
            break;
        }
        kills += 1;
    }
    assert!(kills > 3, "the runs were killed while they read");
    let before = shop.stub.exports_started();
    let summary = shop
        .run_told(
            SyncMode::Backfill,
            Arc::new(Silent),
            CancellationToken::new(),
        )
        .await
        .unwrap();
    assert!(summary.resumed);
    assert_eq!(way(&summary).0, Via::FileExport);
    assert_exact(&shop, summary.from, summary.to).await;
    let rows = shop.rows().await.len() as u64;
    assert_eq!(
        summary.totals.events_stored, rows,
        "no row is counted twice"
    );
    // A kill at a page may come between PostHog's answers to both other readers and their being noted.
    assert!(shop.stub.exports_started() <= 5 + 2 * kills);
    assert!(before >= 3, "exports were started before the last attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_within_a_file_goes_on_there_in_sqlite() {
    killed_runs_are_gone_on_with(&Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_within_a_file_goes_on_there_in_postgresql() {
    killed_runs_are_gone_on_with(&Database::postgres("killed_exports")).await;
}

/// The backfill ends by queries, says why, and has every row.
async fn falls_back(shop: &Shop, part: &str) {
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    fell_back(shop, &summary, part).await;
}

async fn fell_back(shop: &Shop, summary: &RunSummary, part: &str) {
    let (via, why) = way(summary);
    assert_eq!(via, Via::Query);
    assert!(why.contains(part), "{why}");
    assert_exact(shop, summary.from, summary.to).await;
    let run = shop.store.last_complete_run(shop.id()).await.unwrap();
    let kept = shop
        .store
        .runs(shop.id(), Some(SyncMode::Backfill), 5)
        .await;
    let kept = kept.unwrap();
    assert_eq!(kept[0].way, summary.way, "status tells it too");
    assert_eq!(run.unwrap().end, Some(RunEnd::Complete));
}

#[tokio::test]
async fn an_export_that_fails_times_out_or_is_billed_away_gives_way_to_queries() {
    for (status, error, part) in [
        ("Failed", Some("It broke"), "It broke"),
        ("TimedOut", None, "TimedOut"),
        ("FailedBilling", Some("Over the limit"), "Over the limit"),
        ("Cancelled", None, "Cancelled"),
    ] {
        let shop = shop(7, BackfillVia::FileExport).await;
        shop.stub.set_exports(ExportPolicy {
            outcome: ExportOutcome::Ended { status, error },
            ..ExportPolicy::default()
        });
        falls_back(&shop, part).await;
    }
}

#[tokio::test]
async fn exports_that_are_refused_or_whose_files_are_not_to_be_had_give_way_to_queries() {
    let denied = "{\"code\": \"permission_denied\", \"detail\": \"Not on this plan.\"}";
    for (endpoint, status, body, part) in [
        (
            Endpoint::Exports,
            402,
            "{\"detail\": \"Pay first.\"}",
            "quota",
        ),
        (Endpoint::Exports, 403, denied, "Not on this plan"),
        (
            Endpoint::Exports,
            404,
            "{\"code\": \"not_found\", \"detail\": \"Endpoint not found.\"}",
            "too old",
        ),
        (Endpoint::Bucket, 403, "<Error/>", "status 403"),
    ] {
        let shop = shop(8, BackfillVia::FileExport).await;
        let body = body.to_owned();
        shop.stub
            .faults()
            .always(endpoint, Fault::Status { status, body });
        falls_back(&shop, part).await;
    }
}

#[tokio::test]
async fn what_a_key_or_a_property_does_not_allow_is_not_begun_by_exports() {
    let mut shop = shop(9, BackfillVia::FileExport).await;
    shop.stub.edit(|world| {
        let scopes = READS.iter().map(|&scope| scope.to_owned());
        world.key_mut(KEY).unwrap().scopes = Some(scopes.collect());
    });
    falls_back(&shop, "batch_export:write").await;
    assert_eq!(shop.stub.exports_started(), 0);

    shop = self::shop(9, BackfillVia::FileExport).await;
    shop.edit(|project| {
        let types = &mut project.property_types;
        types.insert("cart_id".to_owned(), PropertyType::DateTime)
    });
    falls_back(&shop, "cart_id").await;
    assert_eq!(shop.stub.exports_started(), 0);
}

#[tokio::test]
async fn auto_asks_queries_for_few_events_and_says_so() {
    let shop = shop(10, BackfillVia::Auto).await;
    falls_back(&shop, "events, and below 50000").await;
    assert_eq!(shop.stub.exports_started(), 0);
}

#[tokio::test]
async fn auto_asks_queries_where_what_the_key_may_is_not_told() {
    let shop = shop(11, BackfillVia::Auto).await;
    let body = "<html/>".to_owned();
    shop.stub
        .faults()
        .always(Endpoint::CurrentKey, Fault::Status { status: 404, body });
    falls_back(&shop, "does not answer like PostHog").await;
    assert_eq!(shop.stub.exports_started(), 0);
}

#[tokio::test]
async fn an_export_that_is_never_ready_gives_way_to_queries_after_hours() {
    let shop = shop(11, BackfillVia::FileExport).await;
    shop.stub.set_exports(ExportPolicy {
        outcome: ExportOutcome::Never,
        ..ExportPolicy::default()
    });
    let hours_pass = async {
        // Only what is noted as started is looked at, and from then on its time runs.
        shop.until_asked(Endpoint::ExportState).await;
        shop.pass(SignedDuration::from_hours(4));
    };
    let (summary, ()) = tokio::join!(shop.run(SyncMode::Backfill), hours_pass);
    let summary = summary.unwrap();
    let (via, why) = way(&summary);
    assert_eq!(via, Via::Query);
    assert!(why.contains("not ready after 3 hours"), "{why}");
    assert_exact(&shop, summary.from, summary.to).await;
}

#[tokio::test]
async fn exports_that_stay_out_of_reach_give_way_to_queries_after_hours_and_not_before() {
    let down = |status| Fault::Status {
        status,
        body: String::new(),
    };
    for (endpoint, fault, part) in [
        (Endpoint::Bucket, Fault::Reset, "cannot be reached"),
        (Endpoint::Bucket, down(503), "where it keeps its files"),
        (Endpoint::ExportState, down(500), "status 500"),
        (Endpoint::Exports, down(500), "status 500"),
    ] {
        let shop = shop(14, BackfillVia::FileExport).await;
        shop.stub.faults().always(endpoint, fault);
        let mut failures = 0;
        let summary = loop {
            match shop.run(SyncMode::Backfill).await {
                Ok(summary) => break summary,
                Err(error) => assert!(matches!(error, SyncError::PostHog(_)), "{error}"),
            }
            failures += 1;
            // Each attempt may bring some other export a step on before it fails.
            assert!(failures < 20, "{endpoint:?} is never given up");
            shop.pass(SignedDuration::from_mins(65));
        };
        assert!(failures >= 3, "{endpoint:?} was given up too early");
        fell_back(&shop, &summary, part).await;
        let (_, why) = way(&summary);
        assert!(why.contains("came no further for 3 hours"), "{why}");
    }
}

#[tokio::test]
async fn exports_are_gone_on_with_after_an_outage_of_any_length() {
    let shop = shop(14, BackfillVia::FileExport).await;
    shop.stub.faults().always(Endpoint::Bucket, Fault::Reset);
    shop.run(SyncMode::Backfill).await.unwrap_err();
    shop.pass(SignedDuration::from_hours(9));
    shop.stub.faults().clear();
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(summary.resumed);
    assert_eq!(way(&summary).0, Via::FileExport);
    // The first attempt may have ended between PostHog's answer to the two others and its being noted.
    assert!(shop.stub.exports_started() < 8, "they are not begun anew");
    // A refresh has followed.
    assert_exact(&shop, summary.from, shop.clock_now()).await;
}

#[tokio::test]
async fn exports_that_come_further_are_not_given_up_for_an_outage_however_long_they_take() {
    let mut shop = shop(16, BackfillVia::FileExport).await;
    // One export, whose files are all noted before the first of them is read.
    shop.settings.desired.backfill_days = 5;
    let desired = &shop.settings.desired;
    shop.store.put_connection(desired, at(NOW)).await.unwrap();
    shop.stub.set_exports(ExportPolicy {
        rows_a_file: 10,
        ..ExportPolicy::default()
    });
    shop.stub.faults().always(Endpoint::Bucket, Fault::Reset);
    shop.run(SyncMode::Backfill).await.unwrap_err();
    shop.pass(SignedDuration::from_hours(4));
    // Three are read at once: whoever asks for a fourth has stored one.
    shop.stub.faults().clear();
    shop.stub
        .faults()
        .push_after(Endpoint::Bucket, 3, 1000, Fault::Reset);
    let error = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert!(matches!(error, SyncError::PostHog(_)), "{error}");
    assert!(
        shop.stub.faults().remaining() < 1000,
        "a fourth was asked for"
    );
    assert!(!shop.rows().await.is_empty(), "the first are stored");

    shop.stub.faults().clear();
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(summary.resumed);
    assert_eq!(way(&summary).0, Via::FileExport);
    assert_eq!(shop.stub.exports_started(), 1);
    // A refresh has followed.
    assert_exact(&shop, summary.from, shop.clock_now()).await;
}

#[tokio::test]
async fn exports_wait_for_each_other_where_posthog_makes_one_at_once() {
    let shop = shop(12, BackfillVia::FileExport).await;
    shop.stub.set_exports(ExportPolicy {
        at_once: Some(1),
        ..ExportPolicy::default()
    });
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(way(&summary).0, Via::FileExport);
    assert_eq!(shop.stub.exports_started(), 5);
    assert_exact(&shop, summary.from, summary.to).await;
}

#[tokio::test]
async fn a_backfill_that_is_no_longer_to_come_by_exports_begins_anew_by_queries() {
    let mut shop = shop(13, BackfillVia::FileExport).await;
    shop.stub
        .faults()
        .always(Endpoint::Bucket, Fault::Truncated { bytes: 10 });
    let error = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert!(
        matches!(error, SyncError::PostHog(_)),
        "the network is to blame: {error}"
    );
    shop.settings.backfill_via = BackfillVia::Query;
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(!summary.resumed);
    assert_eq!(way(&summary), (Via::Query, "spec.backfill.via is Query"));
    assert_exact(&shop, summary.from, summary.to).await;
}
