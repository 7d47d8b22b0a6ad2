//! Clickmaps that the store cannot make: they are derived, and events do not wait for them.

use std::sync::Arc;

use domain::storage::{ClickmapSpan, RunEnd};
use domain::sync::SyncMode;
use jiff::SignedDuration;
use jiff::civil::Date;
use posthog_stub::Event;
use sync::{Context, RunSummary, SyncError};
use test_store::FatedStore;

use crate::oracle::{assert_exact, project};
use crate::shop::{NOW, Shop, at, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A run while the store can make no clickmaps.
async fn run_without(shop: &Shop, mode: SyncMode) -> Result<RunSummary, SyncError> {
    let context = Context {
        store: FatedStore::refusing(Arc::clone(&shop.store), "make_clickmaps"),
        ..shop.context()
    };
    sync::run(&context, &shop.settings, mode).await
}

/// Clicks in clickmaps, and clicks stored.
async fn clicks(shop: &Shop) -> (u64, u64) {
    let span = ClickmapSpan {
        from: Date::MIN,
        to: Date::MAX,
        devices: Vec::new(),
    };
    let pages = shop.store.clicked_pages(shop.id(), &span, None, 1000);
    let made = pages.await.unwrap().iter().map(|it| it.counts.clicks).sum();
    let rows = shop.rows().await;
    let stored = rows.iter().filter(|it| it.event.as_str() == "$autocapture");
    (made, stored.count() as u64)
}

async fn last_end(shop: &Shop) -> Option<RunEnd> {
    let last = shop.store.runs(shop.id(), None, 1).await.unwrap();
    last[0].end.clone()
}

#[tokio::test]
async fn days_whose_clickmaps_cannot_be_made_end_the_run_and_are_made_later() {
    let shop = Shop::open(project(3, 300, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.edit(|project| {
        let event = Event::new("$autocapture", "visitor-1", at(NOW) + HOUR / 2)
            .property("$current_url", "https://shop.example/products/p1");
        project.capture(event.elements_chain("a:href=\"/cart\"nth-child=\"1\"nth-of-type=\"1\""));
    });
    shop.pass(HOUR);
    let (before, _) = clicks(&shop).await;
    let summary = run_without(&shop, SyncMode::Refresh).await.unwrap();
    let problem = summary.clickmaps_problem.unwrap();
    assert!(problem.contains("took longer"), "{problem}");
    assert_eq!(last_end(&shop).await, Some(RunEnd::Complete));
    assert_exact(&shop, summary.from - days(31), shop.clock_now()).await;
    assert_eq!(clicks(&shop).await, (before, before + 1));

    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.clickmaps_problem, None);
    assert_eq!(clicks(&shop).await, (before + 1, before + 1));
}

#[tokio::test]
async fn first_clickmaps_that_cannot_be_made_fail_the_attempt_but_not_its_backfill() {
    let shop = Shop::open(project(3, 300, at(NOW), days(30))).await;
    let error = run_without(&shop, SyncMode::Backfill).await.unwrap_err();
    assert!(matches!(error, SyncError::Store(_)), "{error}");
    assert_eq!(last_end(&shop).await, Some(RunEnd::Complete));
    shop.pass(HOUR);
    // Events go on.
    run_without(&shop, SyncMode::Refresh).await.unwrap_err();
    let last = shop.store.last_complete_run(shop.id()).await.unwrap();
    assert_eq!(last.unwrap().window.to, shop.clock_now());

    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Refresh, "the backfill was complete");
    let (made, stored) = clicks(&shop).await;
    assert_eq!(made, stored);
}
