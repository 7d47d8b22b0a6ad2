//! A backfill that is stopped at random points and started again ends with the same rows, counts and
//! identities as an undisturbed one. Seeds are fixed, so that a failure can be run again; where a
//! signal lands still varies a little, as it does in life.

use std::time::Duration;

use posthog_stub::{Limits, StubHandle};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::api::{Api, is_synced};
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::program::Running;
use crate::support::shop;
use crate::support::stored::Stored;

/// Events of the shop: some dozen slices.
const EVENTS: usize = 20_000;
/// Every query takes at least so long, so that a signal lands within the run and not after it.
const LATENCY: Duration = Duration::from_millis(40);

/// How an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    CtrlC,
    Kill,
}

async fn lifelike_shop() -> StubHandle {
    let stub = shop::posthog(shop::lifelike_project(EVENTS)).await;
    stub.set_limits(Limits {
        latency: LATENCY,
        ..Limits::default()
    });
    stub
}

/// What an undisturbed backfill stores, and how many requests it takes.
async fn undisturbed(stub: &StubHandle) -> (Stored, usize) {
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(stub).yaml());
    stub.clear_requests();
    home.sync(&file, "backfill").run().await.with_code(0);
    let requests = stub.requests().len();
    let stored = Stored::read(&home.database_url()).await.unwrap();
    assert!(
        stored.events.len() > EVENTS / 2,
        "only {} events",
        stored.events.len()
    );
    (stored, requests)
}

/// Starts `up` again and again until a backfill is complete, stopping each attempt in these ways
/// after a random number of requests; then reads what is stored.
async fn disturbed(stub: &StubHandle, seed: u64, stops: &[Stop], requests: usize) -> Stored {
    let mut random = StdRng::seed_from_u64(seed);
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(stub).yaml());
    let mut stopped = 0;
    for &stop in stops {
        let (program, at) = home.up(&file);
        let mut up = program.start();
        // Each attempt goes on where the one before stopped, so fewer and fewer are left.
        let after = random.random_range(1..=requests / (stopped + 2));
        stub.clear_requests();
        up.until("it asks", async || {
            (stub.requests().len() >= after).then_some(())
        })
        .await;
        let done = is_complete(&mut up, at.grpc).await;
        match stop {
            Stop::CtrlC => {
                up.interrupt();
                up.ended().await.with_code(0);
            }
            Stop::Kill => {
                up.kill().await;
            }
        }
        if done {
            break;
        }
        stopped += 1;
    }
    assert!(stopped > 0, "seed {seed}: nothing was interrupted");
    finish(&home, &file).await;
    Stored::read(&home.database_url()).await.unwrap()
}

async fn is_complete(up: &mut Running, grpc: std::net::SocketAddr) -> bool {
    let mut api = Api::of(up, grpc).await;
    api.connection()
        .await
        .is_ok_and(|connection| is_synced(&connection))
}

/// Lets `up` complete what is left, and checks that it went on instead of beginning anew.
async fn finish(home: &Home, file: &std::path::Path) {
    let (program, at) = home.up(file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;
    up.interrupt();
    up.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_drained_at_random_points_ends_like_an_undisturbed_one() {
    let stub = lifelike_shop().await;
    let (expected, requests) = undisturbed(&stub).await;
    for seed in 0..3 {
        let stored = disturbed(&stub, seed, &[Stop::CtrlC; 3], requests).await;
        stored.assert_same(&expected);
        let backfills = stored
            .runs
            .iter()
            .filter(|run| run.mode == domain::sync::SyncMode::Backfill);
        assert_eq!(
            backfills.count(),
            1,
            "seed {seed}: a drained backfill was begun anew"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_killed_at_random_points_ends_like_an_undisturbed_one() {
    let stub = lifelike_shop().await;
    let (expected, requests) = undisturbed(&stub).await;
    for seed in 10..12 {
        let stored = disturbed(
            &stub,
            seed,
            &[Stop::Kill, Stop::CtrlC, Stop::Kill],
            requests,
        )
        .await;
        stored.assert_same(&expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_stopped_by_ctrl_c_says_so_and_is_completed_by_the_next() {
    let stub = lifelike_shop().await;
    let (expected, requests) = undisturbed(&stub).await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    stub.clear_requests();
    let mut sync = home.sync(&file, "backfill").start();
    sync.until("it asks", async || {
        (stub.requests().len() >= requests / 2).then_some(())
    })
    .await;
    sync.interrupt();
    let ended = sync.ended().await;
    ended.with_code(130);
    assert_eq!(ended.stdout, "", "a run that was stopped has no summary");

    let resumed = home.sync(&file, "backfill").run().await;
    resumed.with_code(0).says(&["\"resumed\":true"]);
    Stored::read(&home.database_url())
        .await
        .unwrap()
        .assert_same(&expected);
}
