//! What a run of a registered connection heeds: the store, whatever the run was told when it was asked for.

use domain::ProjectId;
use domain::plan::{Plan, PlanStanding};
use domain::storage::DesiredConnection;
use domain::sync::SyncMode;
use sync::{Settings, SyncError};

use crate::oracle::project;
use crate::shop::{NOW, Shop, at, backfilled_from, days};

async fn shop() -> Shop {
    Shop::open(project(13, 40, at(NOW), days(30))).await
}

/// Writes another wish into the store, which the run's settings know nothing of.
async fn register(shop: &Shop, change: impl FnOnce(&mut DesiredConnection)) {
    let mut desired = shop.settings.desired.clone();
    change(&mut desired);
    shop.store.put_connection(&desired, at(NOW)).await.unwrap();
}

async fn adopted(shop: &Shop) -> Result<Settings, SyncError> {
    sync::registered(&*shop.store, shop.settings.clone()).await
}

#[tokio::test]
async fn the_stores_wish_holds_over_the_one_that_the_run_was_told() {
    let shop = shop().await;
    register(&shop, |desired| desired.backfill_days = 7).await;
    let adopted = adopted(&shop).await.unwrap();
    assert_eq!(adopted.desired.backfill_days, 7);
    assert_eq!(adopted.mapping, shop.settings.mapping);
    sync::run(&shop.context(), &adopted, SyncMode::Backfill)
        .await
        .unwrap();
    let oldest = shop.rows().await.iter().map(|row| row.timestamp).min();
    assert!(oldest.unwrap() >= backfilled_from(7));
}

#[tokio::test]
async fn a_connection_that_was_suspended_or_downgraded_meanwhile_is_not_pulled() {
    let shop = shop().await;
    // Registered before, changed while the run waited for another: the settings say it may run.
    register(&shop, |desired| desired.suspended = true).await;
    let refused = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert!(matches!(refused, SyncError::Suspended), "{refused}");
    register(&shop, |desired| {
        desired.plan = PlanStanding::TooLow { plan: Plan::Free };
    })
    .await;
    let refused = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert_eq!(refused.reason(), "PlanTooLow");
    assert!(shop.rows().await.is_empty());
    register(&shop, |_| {}).await;
    shop.run(SyncMode::Backfill).await.unwrap();
}

#[tokio::test]
async fn what_is_gone_or_reads_another_project_is_refused_and_not_written() {
    let shop = shop().await;
    let name = shop.settings.desired.name.clone();
    register(&shop, |desired| {
        desired.epoch.project_id = ProjectId::try_from(77).unwrap();
    })
    .await;
    let moved = adopted(&shop).await.unwrap_err();
    assert!(matches!(&moved, SyncError::Moved { to } if to.project_id.get() == 77));

    shop.store.mark_deleted(&name, at(NOW)).await.unwrap();
    let gone = adopted(&shop).await.unwrap_err();
    assert!(matches!(gone, SyncError::Disconnected), "{gone}");
    let record = shop.store.connection(&name).await.unwrap().unwrap();
    assert_eq!(record.deleted_at, Some(at(NOW)));

    let mut settings = shop.settings.clone();
    settings.desired.name.name = "never-there".to_owned();
    let unknown = settings.desired.name.clone();
    let refused = sync::registered(&*shop.store, settings).await.unwrap_err();
    assert!(matches!(refused, SyncError::NotRegistered), "{refused}");
    assert_eq!(shop.store.connection(&unknown).await.unwrap(), None);
}
