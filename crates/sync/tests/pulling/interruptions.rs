use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::ConnectionName;
use domain::storage::{Lease, StoreError};
use domain::sync::SyncMode;
use posthog_stub::{Endpoint, Fault};
use proptest::prelude::*;
use sync::progress::{Progress, Silent, Update};
use sync::{Context, SyncError};
use test_store::{Fate, FatedStore};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::oracle::{assert_exact, project, stored};
use crate::shop::{NOW, Shop, at, days};

/// Does something at the n-th thing it is told.
struct AtNth<F> {
    told: AtomicUsize,
    nth: usize,
    act: F,
}

impl<F: Fn() + Send + Sync> Progress for AtNth<F> {
    fn report(&self, _: &ConnectionName, _: Update) {
        if self.told.fetch_add(1, Ordering::SeqCst) == self.nth {
            (self.act)();
        }
    }
}

/// A world that needs many slices and pages, so that there are many places to stop at.
async fn shop_of_many_pages(seed: u64) -> Shop {
    let mut shop = Shop::open(project(seed, 500, at(NOW), days(30))).await;
    shop.page_rows = Some(45);
    shop.stub.set_limits(posthog_stub::Limits {
        too_much: Some(posthog_stub::TooMuch {
            span: None,
            rows: Some(90),
            members: None,
            status: 504,
        }),
        ..Default::default()
    });
    shop
}

async fn run_until_cancelled(shop: &Shop, nth: usize) -> bool {
    let cancel = CancellationToken::new();
    let stopper = cancel.clone();
    let progress = AtNth {
        told: AtomicUsize::new(0),
        nth,
        act: move || stopper.cancel(),
    };
    match shop
        .run_told(SyncMode::Backfill, Arc::new(progress), cancel)
        .await
    {
        Ok(_) => true,
        Err(SyncError::Interrupted) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Drops the run at the n-th thing it tells, as a crash would, and lets go of the lease.
async fn run_until_dropped(shop: &Shop, nth: usize) -> bool {
    let now = Arc::new(Notify::new());
    let told = Arc::clone(&now);
    let progress = AtNth {
        told: AtomicUsize::new(0),
        nth,
        act: move || told.notify_one(),
    };
    let run = shop.run_told(
        SyncMode::Backfill,
        Arc::new(progress),
        CancellationToken::new(),
    );
    tokio::select! {
        biased;
        () = now.notified() => false,
        done = run => {
            done.unwrap();
            true
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_backfill_stopped_anywhere_and_gone_on_with_ends_like_an_undisturbed_one(
        seed in 1_u64..1000,
        stops in prop::collection::vec((0_usize..14, any::<bool>()), 1..4),
    ) {
        block_on(async {
            let shop = shop_of_many_pages(seed).await;
            for (nth, crash) in stops {
                let done = if crash {
                    run_until_dropped(&shop, nth).await
                } else {
                    run_until_cancelled(&shop, nth).await
                };
                if done {
                    break;
                }
            }
            let summary = shop.run(SyncMode::Backfill).await.unwrap();
            assert_exact(&shop, summary.from, summary.to).await;

            let calm = shop_of_many_pages(seed).await;
            calm.run(SyncMode::Backfill).await.unwrap();
            assert_eq!(stored(&shop).await, stored(&calm).await);
            let id = |shop: &Shop| shop.id();
            let links = async |shop: &Shop| {
                let links = shop.store.links(id(shop), false, None, 10_000).await.unwrap();
                links.into_iter().map(|(_, link)| (link.distinct_id, link.to)).collect::<Vec<_>>()
            };
            assert_eq!(links(&shop).await, links(&calm).await);
        });
    }
}

#[tokio::test]
async fn a_run_that_goes_on_long_after_also_reads_up_to_the_present() {
    let shop = shop_of_many_pages(31).await;
    assert!(!run_until_cancelled(&shop, 6).await);
    shop.pass(days(2));
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(summary.resumed);
    assert_eq!(summary.repull_passes, 0, "no day is read again");
    assert_exact(&shop, at(NOW) - days(30), at(NOW) + days(2)).await;
}

#[tokio::test]
async fn a_refresh_never_throws_an_unfinished_backfill_away() {
    let shop = shop_of_many_pages(32).await;
    assert!(!run_until_cancelled(&shop, 6).await);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Backfill);
    assert!(summary.resumed);
}

#[tokio::test]
async fn of_two_runs_at_once_the_second_is_told_that_the_first_holds_the_connection() {
    let shop = Shop::open(project(1, 100, at(NOW), days(30))).await;
    // The first one's second write comes once it has the connection; there it stands still.
    let store = FatedStore::new(Arc::clone(&shop.store), 1, Fate::GoesOn);
    let standing = Context {
        store: store.clone(),
        ..shop.context()
    };
    let hasty = Context {
        patience: Duration::ZERO,
        ..shop.context()
    };
    let first = sync::run(&standing, &shop.settings, SyncMode::Backfill);
    let (first, second) = tokio::join!(first, async {
        store.stands().await;
        let second = sync::run(&hasty, &shop.settings, SyncMode::Backfill).await;
        store.go_on();
        second
    });
    assert!(matches!(second, Err(SyncError::Busy { .. })), "{second:?}");
    let summary = first.unwrap();
    assert_exact(&shop, summary.from, summary.to).await;
}

#[tokio::test]
async fn a_run_waits_for_a_dead_holders_lease_and_the_dead_one_can_write_no_more() {
    let shop = Shop::open(project(1, 100, at(NOW), days(30))).await;
    let dead = shop
        .store
        .acquire_lease(shop.id(), "dead", Duration::from_millis(1500))
        .await
        .unwrap();
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_exact(&shop, summary.from, summary.to).await;
    let late = shop.store.renew_lease(&dead, Duration::from_secs(60)).await;
    assert!(matches!(late, Err(StoreError::FenceLost)), "{late:?}");
}

#[tokio::test]
async fn a_run_that_was_taken_over_stops_without_another_word() {
    let shop = Shop::open(project(1, 100, at(NOW), days(30))).await;
    // The fourth query is the first page. All that follow are slow, so the run outlasts the taking.
    let slow = Fault::Delay(Duration::from_millis(1000));
    let faults = shop.stub.faults();
    faults.push_after(Endpoint::Query, 3, usize::MAX, slow);
    let taken_over = async {
        while shop.stub.requests().len() < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let first = Lease {
            connection: shop.id(),
            fence: 1,
        };
        let store = &shop.store;
        // Gone rather than run out: a write of the run in between would renew it.
        store.release_lease(&first).await.unwrap();
        let ttl = Duration::from_secs(60);
        store.acquire_lease(shop.id(), "other", ttl).await.unwrap();
        shop.rows().await
    };
    let (first, rows) = tokio::join!(shop.run(SyncMode::Backfill), taken_over);
    let error = first.unwrap_err();
    assert_eq!(error.reason(), "FenceLost");
    assert_eq!(shop.rows().await, rows);
    let name = &shop.settings.desired.name;
    let record = shop.store.connection(name).await.unwrap().unwrap();
    assert_eq!(record.failure, None);
}

#[tokio::test]
async fn a_run_that_waits_on_posthog_stops_at_once_when_asked() {
    let shop = Shop::open(project(1, 100, at(NOW), days(30))).await;
    shop.stub.faults().always(Endpoint::Query, Fault::Hang);
    let cancel = CancellationToken::new();
    let run = shop.run_told(SyncMode::Backfill, Arc::new(Silent), cancel.clone());
    let stopped = async {
        let stop = async {
            shop.until_asked(Endpoint::Query).await;
            cancel.cancel();
        };
        tokio::join!(run, stop).0
    };
    // Its client would wait for longer.
    let limit = Duration::from_secs(60);
    let outcome = tokio::time::timeout(limit, stopped).await.unwrap();
    assert!(
        matches!(outcome, Err(SyncError::Interrupted)),
        "{outcome:?}"
    );
}
