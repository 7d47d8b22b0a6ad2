//! The store's budget as the client's gate: no place stays taken, whenever whoever asked goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use domain::storage::{BudgetLimits, Grant};
use domain::sync::SyncMode;
use jiff::Timestamp;
use posthog::{Error, Gate, GatePass, ThrottleKind};
use sync::progress::Silent;
use sync::{Share, StoreGate, SyncError};
use tokio_util::sync::CancellationToken;

use crate::oracle::project;
use crate::shop::{NOW, Shop, UNLIMITED, at, days};

/// Fails unless nobody holds a place.
async fn assert_free(shop: &Shop, when: &str) {
    let alone = BudgetLimits {
        concurrent: 1,
        ..UNLIMITED
    };
    let (key, minute) = (&shop.settings.desired.epoch, Duration::from_secs(60));
    let grant = shop.store.take(key, alone, Timestamp::now(), minute).await;
    let Ok(Grant::Granted { slot }) = grant else {
        panic!("{when}: a place is taken: {grant:?}");
    };
    shop.store.give_back(key, slot).await.unwrap();
}

fn gate(shop: &Shop) -> StoreGate {
    let key = shop.settings.desired.epoch.clone();
    StoreGate::new(Arc::clone(&shop.store), key, Share::Run)
}

#[tokio::test]
async fn once_settled_a_gate_has_back_every_place_of_a_dropped_pass() {
    let shop = Shop::open(project(1, 10, at(NOW), days(30))).await;
    let gate = gate(&shop);
    let passes = [gate.enter().await.unwrap(), gate.enter().await.unwrap()];
    drop(passes);
    gate.settled().await;
    assert_free(&shop, "after two passes").await;
}

#[tokio::test]
async fn a_place_that_was_being_taken_when_its_taker_went_away_is_given_back() {
    let shop = Shop::open(project(1, 10, at(NOW), days(30))).await;
    let gate = gate(&shop);
    for polls in 1..=3 {
        let mut entering = gate.enter();
        for _ in 0..polls {
            let mut context = Context::from_waker(Waker::noop());
            if entering.as_mut().poll(&mut context).is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        drop(entering);
        gate.settled().await;
        assert_free(&shop, &format!("dropped after {polls} polls")).await;
    }
}

/// Many moments to stop at, as a place may be just being taken or just being given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_stopped_has_given_back_its_places() {
    let mut shop = Shop::open(project(1, 100, at(NOW), days(30))).await;
    shop.is_metered = true;
    shop.stub.set_limits(posthog_stub::Limits {
        latency: Duration::from_millis(5),
        ..Default::default()
    });
    let mut stopped = 0;
    for millis in (0..60).step_by(3) {
        let cancel = CancellationToken::new();
        let stopper = cancel.clone();
        let stop = async {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            stopper.cancel();
        };
        let run = shop.run_told(SyncMode::Backfill, Arc::new(Silent), cancel);
        let (outcome, ()) = tokio::join!(run, stop);
        stopped += usize::from(matches!(outcome, Err(SyncError::Interrupted)));
        assert_free(&shop, &format!("stopped after {millis} ms")).await;
    }
    assert!(stopped > 5, "only {stopped} runs were stopped midway");
}

/// Keeps the first reader that comes at its place for a while, and has the run stop just then.
struct Sluggish {
    stop: CancellationToken,
    was_met: AtomicBool,
    is_busy: AtomicBool,
}

#[async_trait]
impl Gate for Sluggish {
    async fn enter(&self) -> Result<GatePass, Error> {
        // Readers are tasks of their own, and the run is none.
        if tokio::task::try_id().is_some() && !self.was_met.swap(true, Ordering::SeqCst) {
            self.is_busy.store(true, Ordering::SeqCst);
            self.stop.cancel();
            std::thread::sleep(Duration::from_millis(300));
            self.is_busy.store(false, Ordering::SeqCst);
        }
        Ok(GatePass::new(|| {}))
    }

    async fn throttled(&self, _: Option<Duration>, _: ThrottleKind) {}

    async fn settled(&self) {
        let is_busy = self.is_busy.load(Ordering::SeqCst);
        assert!(!is_busy, "a reader of a run that has ended is at work");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_stopped_has_no_reader_left_that_could_take_a_place() {
    let shop = Shop::open(project(1, 100, at(NOW), days(30))).await;
    let gate = Arc::new(Sluggish {
        stop: CancellationToken::new(),
        was_met: AtomicBool::new(false),
        is_busy: AtomicBool::new(false),
    });
    let context = sync::Context {
        client: shop.client_through(gate.clone()),
        cancel: gate.stop.clone(),
        ..shop.context()
    };
    let outcome = sync::run(&context, &shop.settings, SyncMode::Backfill).await;
    assert!(
        matches!(outcome, Err(SyncError::Interrupted)),
        "{outcome:?}"
    );
}
