//! A backfill that is stopped at random points and started again ends with the same rows, counts and
//! identities as an undisturbed one. Seeds are fixed, so that a failure can be run again; where a
//! signal lands still varies a little, as it does in life.

use std::path::Path;
use std::time::Duration;

use domain::sync::SyncMode;
use domain::window::next_tick;
use domain::{ApiHost, ConnectionId, ConnectionName, Epoch};
use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Endpoint, Fault, Limits, StubHandle, TooMuch};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::api::Api;
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::program::Running;
use crate::support::shop::{self, PROJECT};
use crate::support::stored::Stored;

/// Events of the shop.
const EVENTS: usize = 12_000;
/// PostHog refuses queries over more rows, so that even this small shop is read in many slices.
const ROWS: usize = 1_500;
/// Every query takes at least so long, so that a signal lands somewhere within the run.
const LATENCY: Duration = Duration::from_millis(40);
/// The name of the queries for pages of events.
const PAGE: &str = "ordinary_posthog_page";

/// How an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    CtrlC,
    Kill,
}

pub(crate) async fn lifelike_shop() -> StubHandle {
    let stub = shop::posthog(shop::lifelike_project(EVENTS)).await;
    stub.set_limits(Limits {
        latency: LATENCY,
        too_much: Some(TooMuch {
            span: None,
            rows: Some(ROWS),
            members: None,
            status: 504,
        }),
        ..Limits::default()
    });
    stub
}

/// Pages of events that the stand-in has answered since its log was cleared.
fn pages(stub: &StubHandle) -> usize {
    let requests = stub.requests();
    let is_page = |name: &Option<String>| name.as_deref() == Some(PAGE);
    requests
        .iter()
        .filter(|request| is_page(&request.name) && request.status == 200)
        .count()
}

/// Has the stand-in never answer the last of so many pages of events, which a run still needs: it does not end
/// before it is stopped, however late that is.
fn hold_last(stub: &StubHandle, pages: usize) {
    let last = Endpoint::Named(PAGE);
    stub.faults()
        .push_after(last, pages - 1, usize::MAX, Fault::Hang);
}

/// Whether a run waits for such a page.
fn is_held(stub: &StubHandle) -> bool {
    let requests = stub.requests();
    requests.iter().any(|it| it.fault == Some(Fault::Hang))
}

/// What an undisturbed backfill stores, and how many pages it takes.
async fn undisturbed(stub: &StubHandle) -> (Stored, usize) {
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(stub).yaml());
    stub.clear_requests();
    home.sync(&file, "backfill").run().await.with_code(0);
    let stored = Stored::read(&home.database_url()).await.unwrap();
    assert!(stored.events.len() > EVENTS / 2, "{}", stored.events.len());
    let pages = pages(stub);
    assert!(pages > 6, "the shop is read in {pages} pages only");
    (stored, pages)
}

/// Starts `up` again and again, stopping each attempt in its way while pages are still missing, then
/// lets it complete the backfill; says what is stored in the end.
async fn disturbed(stub: &StubHandle, seed: u64, stops: &[Stop], pages_in_all: usize) -> Stored {
    let mut random = StdRng::seed_from_u64(seed);
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(stub).yaml());
    let mut left = pages_in_all;
    for &stop in stops {
        if left < 3 {
            break;
        }
        let after = random.random_range(1..=left / 2);
        let (program, _) = home.up(&file);
        stub.clear_requests();
        hold_last(stub, left);
        let mut up = program.start();
        up.until(
            &format!("page {after} is answered (seed {seed})"),
            async || (pages(stub) >= after || is_held(stub)).then_some(()),
        )
        .await;
        match stop {
            Stop::CtrlC => {
                up.interrupt();
                up.ended().await.with_code(0);
            }
            Stop::Kill => {
                up.kill().await;
            }
        }
        stub.faults().clear();
        // What was answered may be stored or not: at least so many are still missing.
        left = left.saturating_sub(pages(stub));
        let stored = Stored::read(&home.database_url()).await.unwrap();
        assert_eq!(stored.complete_runs(), 0, "seed {seed}: stopped too late");
    }
    let up = finished(&home, &file).await;
    up.interrupt();
    up.ended().await.with_code(0);
    Stored::read(&home.database_url()).await.unwrap()
}

/// `up` once it has completed what was left.
async fn finished(home: &Home, file: &Path) -> Running {
    let (program, at) = home.up(file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;
    up
}

/// Fails when a backfill was begun again instead of gone on with.
#[track_caller]
pub(crate) fn assert_resumed(stored: &Stored) {
    let backfills = stored
        .runs
        .iter()
        .filter(|run| run.mode == SyncMode::Backfill);
    assert_eq!(
        backfills.count(),
        1,
        "a stopped backfill was begun anew instead of resumed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_drained_at_random_points_ends_like_an_undisturbed_one() {
    let stub = lifelike_shop().await;
    let (expected, pages) = undisturbed(&stub).await;
    for seed in 0..2 {
        let stored = disturbed(&stub, seed, &[Stop::CtrlC; 3], pages).await;
        stored.assert_same(&expected);
        assert_resumed(&stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_killed_at_random_points_ends_like_an_undisturbed_one() {
    let stub = lifelike_shop().await;
    let (expected, pages) = undisturbed(&stub).await;
    for seed in 10..12 {
        let stops = [Stop::Kill, Stop::CtrlC, Stop::Kill];
        let stored = disturbed(&stub, seed, &stops, pages).await;
        stored.assert_same(&expected);
        assert_resumed(&stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_stopped_by_ctrl_c_says_so_and_is_completed_by_the_next() {
    let stub = lifelike_shop().await;
    let (expected, in_all) = undisturbed(&stub).await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    stub.clear_requests();
    hold_last(&stub, in_all);
    let mut sync = home.sync(&file, "backfill").start();
    sync.until("half of the pages are answered", async || {
        (pages(&stub) >= in_all / 2 || is_held(&stub)).then_some(())
    })
    .await;
    sync.interrupt();
    let ended = sync.ended().await;
    stub.faults().clear();
    ended.with_code(130).says(&["goes on"]);
    assert_eq!(ended.stdout, "", "a run that was stopped has no summary");

    let resumed = home.sync(&file, "backfill").run().await;
    resumed.with_code(0).says(&["\"resumed\":true"]);
    let stored = Stored::read(&home.database_url()).await.unwrap();
    stored.assert_same(&expected);
    assert_resumed(&stored);
}

/// Whether a tick of the shop's connection, daily, is less than an hour away.
fn is_tick_near(stub: &StubHandle) -> bool {
    let epoch = Epoch {
        host: ApiHost::parse(stub.url()).unwrap(),
        project_id: i64::try_from(PROJECT).unwrap().try_into().unwrap(),
    };
    let owner = ConnectionId::of(&ConnectionName::new("default", "storefront"), &epoch);
    let (now, hour) = (Timestamp::now(), SignedDuration::from_hours(1));
    let day = SignedDuration::from_hours(24);
    next_tick(owner.0, day, now - hour) < now + hour
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_store_read_everything_once() {
    // Of shops at several ports the first with none of its ticks near: a refresh would read pages, too.
    let stub = loop {
        let stub = lifelike_shop().await;
        if !is_tick_near(&stub) {
            break stub;
        }
    };
    let (expected, in_all) = undisturbed(&stub).await;
    let home = Home::new();
    let daily = Document::of(&stub).spec("refresh: {interval: 24h, lookback: 24h}");
    let file = home.write("connection.yaml", daily.yaml());
    stub.clear_requests();
    let (one, other) = tokio::join!(finished(&home, &file), finished(&home, &file));
    assert_eq!(pages(&stub), in_all, "both processes read the same pages");
    for up in [one, other] {
        up.interrupt();
        up.ended().await.with_code(0);
    }
    let stored = Stored::read(&home.database_url()).await.unwrap();
    stored.assert_same(&expected);
    assert_resumed(&stored);
}
