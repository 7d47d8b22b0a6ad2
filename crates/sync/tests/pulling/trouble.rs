use std::time::Duration;

use domain::sync::SyncMode;
use posthog_stub::{Endpoint, Fault};
use sync::SyncError;

use crate::oracle::{assert_exact, project};
use crate::shop::{NOW, Shop, at, days, hasty_http};

#[tokio::test]
async fn passing_trouble_of_every_kind_changes_nothing_in_the_outcome() {
    let faults = [
        Fault::Throttle {
            retry_after: Some(1),
        },
        Fault::Concurrency,
        Fault::Internal,
        Fault::Busy,
        Fault::DatabaseUnavailable,
        Fault::Hang,
        Fault::Truncated { bytes: 200 },
        Fault::Reset,
        Fault::DuplicateRows,
        Fault::ObjectProperties,
        Fault::Delay(Duration::from_millis(300)),
    ];
    let tried = faults.map(async |fault| {
        for skip in [0, 3, 5] {
            let mut shop = Shop::open(project(13, 150, at(NOW), days(30))).await;
            if fault == Fault::Hang {
                shop.http = hasty_http();
            }
            shop.stub
                .faults()
                .push_after(Endpoint::Query, skip, 1, fault.clone());
            let summary = shop.run(SyncMode::Backfill).await;
            let summary = summary.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_exact(&shop, summary.from, summary.to).await;
        }
    });
    futures_util::future::join_all(tried).await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_trusted_stores_nothing_of_itself_and_is_told() {
    for fault in [Fault::WrongColumns, Fault::ShortRows, Fault::ErrorInBody] {
        let shop = Shop::open(project(13, 150, at(NOW), days(30))).await;
        shop.stub.faults().always(Endpoint::Query, fault.clone());
        let error = shop.run(SyncMode::Backfill).await.unwrap_err();
        assert!(matches!(error, SyncError::PostHog(_)), "{fault:?}: {error}");
        assert!(shop.rows().await.is_empty());
        let name = &shop.settings.desired.name;
        let record = shop.store.connection(name).await.unwrap().unwrap();
        assert_eq!(record.failure.unwrap().reason, error.reason());

        shop.stub.faults().clear();
        let summary = shop.run(SyncMode::Backfill).await.unwrap();
        assert_exact(&shop, summary.from, summary.to).await;
        let record = shop.store.connection(name).await.unwrap().unwrap();
        assert_eq!(record.failure, None);
    }
}

#[tokio::test]
async fn a_run_that_failed_midway_goes_on_where_it_stopped() {
    let mut shop = Shop::open(project(13, 400, at(NOW), days(30))).await;
    shop.page_rows = Some(50);
    shop.stub
        .faults()
        .push_after(Endpoint::Query, 14, usize::MAX, Fault::Internal);
    shop.run(SyncMode::Backfill).await.unwrap_err();
    let before = shop.rows().await.len();
    assert!(before > 0);
    shop.stub.faults().clear();
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(summary.resumed);
    assert_eq!(
        shop.stub.peak_concurrency(),
        1,
        "no request is dropped midway"
    );
    let asked = shop.stub.requests().len() as u64;
    assert_eq!(summary.totals.requests, asked, "of both attempts");
    assert_exact(&shop, summary.from, summary.to).await;
}

#[tokio::test]
async fn a_used_up_budget_ends_the_run_and_holds_back_whoever_asks_next() {
    let mut shop = Shop::open(project(13, 50, at(NOW), days(30))).await;
    shop.is_metered = true;
    shop.stub
        .faults()
        .push(Endpoint::Query, Fault::Budget { retry_after: 3000 });
    let error = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert_eq!(error.reason(), "Throttled");
    shop.stub.clear_requests();
    let error = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert_eq!(error.reason(), "Throttled");
    assert!(
        shop.stub.requests().is_empty(),
        "nobody asks before it is time"
    );
}

#[tokio::test]
async fn a_revoked_key_is_named_as_such() {
    let shop = Shop::open(project(13, 50, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.stub.edit(|world| world.revoke_key(crate::shop::KEY));
    let error = shop.run(SyncMode::Refresh).await.unwrap_err();
    assert_eq!(error.reason(), "InvalidApiKey");
}

#[tokio::test]
async fn several_connections_to_one_project_keep_to_its_limits_together() {
    let mut shop = Shop::open(project(13, 400, at(NOW), days(30))).await;
    shop.is_metered = true;
    shop.page_rows = Some(30);
    let mut twin = shop.settings.clone();
    twin.desired.name.name = "twin".to_owned();
    let store = &shop.store;
    store.put_connection(&twin.desired, at(NOW)).await.unwrap();
    shop.stub.set_limits(posthog_stub::Limits {
        latency: Duration::from_millis(20),
        ..Default::default()
    });
    let (first, second) = (shop.context(), shop.context());
    let (first, second) = tokio::join!(
        sync::run(&first, &shop.settings, SyncMode::Backfill),
        sync::run(&second, &twin, SyncMode::Backfill),
    );
    assert_eq!(
        first.unwrap().totals.events_stored,
        second.unwrap().totals.events_stored
    );
    assert!(shop.stub.peak_concurrency() <= 3);
}
