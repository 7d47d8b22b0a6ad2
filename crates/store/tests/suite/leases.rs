//! Leases: one holder at a time, and no write from one who lost it.

use std::time::Duration;

use domain::connection::ConnectionName;
use domain::storage::{PersonsReading, ReadRange, RunEnd, StoreError};
use domain::sync::{RunTotals, SyncMode};
use uuid::Uuid;

use super::Database;
use super::fixtures::{GRACE, MINUTE, Site, event, hours, mapping, run, slice, start};
use super::oracle::Oracle;

const SHORT: Duration = Duration::from_millis(30);

pub(crate) async fn one_holder_at_a_time(database: &dyn Database) {
    let site = Site::new(database).await;
    let other = database.open().await;
    let before = jiff::Timestamp::now();
    match other.acquire_lease(site.id, "other", MINUTE).await {
        Err(StoreError::LeaseHeld { until }) => assert!(until > before),
        given => panic!("the lease is held, but the answer was {given:?}"),
    }
    site.store.release_lease(&site.lease).await.unwrap();
    let taken = other.acquire_lease(site.id, "other", MINUTE).await.unwrap();
    assert!(taken.fence > site.lease.fence);
    // Giving back what was lost does no harm to the one who has it.
    site.store.release_lease(&site.lease).await.unwrap();
    other.renew_lease(&taken, MINUTE).await.unwrap();
}

pub(crate) async fn a_dead_holders_leases_are_given_back_and_nobody_elses(database: &dyn Database) {
    let site = Site::new(database).await;
    let other = database.open().await;
    assert_eq!(other.release_all_of("nobody").await.unwrap(), 0);
    let held = other.acquire_lease(site.id, "other", MINUTE).await;
    assert!(matches!(held, Err(StoreError::LeaseHeld { .. })));
    assert_eq!(other.release_all_of("test").await.unwrap(), 1);
    other.acquire_lease(site.id, "other", MINUTE).await.unwrap();
    let refused = site.store.renew_lease(&site.lease, MINUTE).await;
    assert!(matches!(refused, Err(StoreError::FenceLost)));
}

pub(crate) async fn an_expired_lease_is_taken_and_its_holder_is_stopped(database: &dyn Database) {
    let mut site = Site::new(database).await;
    site.store.release_lease(&site.lease).await.unwrap();
    site.lease = site
        .store
        .acquire_lease(site.id, "slow", SHORT)
        .await
        .unwrap();
    tokio::time::sleep(SHORT * 2).await;
    let other = database.open().await;
    other.acquire_lease(site.id, "other", MINUTE).await.unwrap();
    let page = site.page(&[event(1, "a", "d", hours(1))]).await;
    let refused = site.store.apply_page(&site.lease, page.clone()).await;
    assert!(matches!(refused, Err(StoreError::FenceLost)));
    Oracle::default().assert_kept(&*site.store, site.id).await;
}

pub(crate) async fn every_write_of_a_lost_holder_is_refused(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let page = site.page(&[event(1, "a", "d", hours(1))]).await;
    let store = database.open().await;
    store.release_lease(&site.lease).await.unwrap();
    store.acquire_lease(site.id, "other", MINUTE).await.unwrap();
    let lost = &site.lease;
    let reading = PersonsReading {
        began: start(),
        through: None,
        paused_until: None,
    };
    let answers = [
        ("renew", store.renew_lease(lost, MINUTE).await),
        (
            "begin",
            store
                .begin_run(lost, &run(SyncMode::Refresh, Vec::new()))
                .await
                .map(drop),
        ),
        ("page", store.apply_page(lost, page.clone()).await.map(drop)),
        (
            "split",
            store
                .split_slice(lost, site.run, 3, &[slice(0, 1, 1)])
                .await,
        ),
        (
            "totals",
            store
                .add_totals(lost, site.run, &RunTotals::default())
                .await,
        ),
        (
            "end",
            store
                .end_run(lost, site.run, &RunEnd::Complete, hours(73))
                .await
                .map(drop),
        ),
        (
            "remap",
            store.remap(lost, &mapping(&["a"], &[])).await.map(drop),
        ),
        ("zone", store.set_time_zone(lost, "Europe/Berlin").await),
        ("definitions", store.put_event_definitions(lost, &[]).await),
        (
            "remove",
            store.remove_events(lost, &[Uuid::nil()]).await.map(drop),
        ),
        ("expire", store.expire_events(lost, start()).await.map(drop)),
        ("verdicts", store.put_verdicts(lost, &[]).await),
        (
            "persons",
            store
                .observe_persons(lost, &[], &ReadRange::Answered, start())
                .await
                .map(drop),
        ),
        ("persons read", store.persons_read(lost, start()).await),
        (
            "persons reading",
            store.keep_persons_reading(lost, &reading).await,
        ),
    ];
    for (what, answer) in answers {
        assert!(
            matches!(answer, Err(StoreError::FenceLost)),
            "{what}: {answer:?}"
        );
    }
}

pub(crate) async fn an_expired_lease_that_nobody_took_still_holds(database: &dyn Database) {
    let mut site = Site::new(database).await;
    site.store.release_lease(&site.lease).await.unwrap();
    site.lease = site
        .store
        .acquire_lease(site.id, "slow", SHORT)
        .await
        .unwrap();
    tokio::time::sleep(SHORT * 2).await;
    // The page renews it by a minute.
    assert_eq!(site.store(&[event(1, "a", "d", hours(1))]).await.stored, 1);
    let other = database.open().await;
    let refused = other.acquire_lease(site.id, "other", MINUTE).await;
    assert!(matches!(refused, Err(StoreError::LeaseHeld { .. })));
}

pub(crate) async fn a_fence_never_returns(database: &dyn Database) {
    let site = Site::new(database).await;
    let name = ConnectionName::new("acme", "shop");
    site.store.mark_deleted(&name, start()).await.unwrap();
    let due = start() + GRACE;
    site.store.purge_connection(&name, due).await.unwrap();
    let again = Site::new(database).await;
    assert_eq!(again.id, site.id);
    assert!(again.lease.fence > site.lease.fence);
    let refused = again.store.renew_lease(&site.lease, MINUTE).await;
    assert!(matches!(refused, Err(StoreError::FenceLost)));
}
