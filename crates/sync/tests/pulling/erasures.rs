//! An erased person stays erased, whatever a run reads, and recounts know that nothing is missing.

use domain::erasure::{self, Erased};
use domain::identity::IdentityKey;
use domain::storage::{DayVerdict, Verdict};
use domain::sync::SyncMode;
use jiff::SignedDuration;
use jiff::civil::{Date, date};
use posthog_stub::{Event, Project};

use crate::shop::{NOW, PROJECT, Shop, at, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// A day on which Ada has events, as on every other.
const DAY: Date = date(2026, 3, 12);

/// On every day of six weeks, events of Ada's and of somebody's.
fn steady() -> Project {
    let mut project = Project::new(PROJECT, "Shop");
    for hour in 1..(24 * 45) {
        let who = match hour % 10 {
            1 => "ada",
            6 => "somebody",
            _ => continue,
        };
        project.capture(Event::new("$pageview", who, at(NOW) - HOUR * hour));
    }
    project
}

async fn erase(shop: &Shop, id: &str) -> Erased {
    let key = IdentityKey::DistinctId(id.to_owned());
    let name = &shop.settings.desired.name;
    erasure::erase(&*shop.store, name, &key, shop.clock_now())
        .await
        .unwrap()
}

async fn has(shop: &Shop, id: &str) -> bool {
    shop.rows().await.iter().any(|row| row.distinct_id == id)
}

async fn verdict(shop: &Shop) -> DayVerdict {
    let next = DAY.tomorrow().unwrap();
    let verdicts = shop.store.verdicts(shop.id(), DAY, next).await.unwrap();
    verdicts.into_iter().next().unwrap()
}

#[tokio::test]
async fn an_erased_person_stays_away_and_its_days_stay_verified_without_being_read_again() {
    let shop = Shop::open(steady()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let before = verdict(&shop).await;
    let erased = erase(&shop, "ada").await;
    assert!(erased.events > 60 && !has(&shop, "ada").await);
    shop.pass(days(1));
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.repull_passes, 0);
    assert_eq!(
        (summary.completeness.pending, summary.completeness.mismatch),
        (0, 0)
    );
    let day = verdict(&shop).await;
    assert_eq!(
        (day.verdict, day.remote),
        (Verdict::Verified, before.remote)
    );
    assert!(day.erased > 0 && day.counted_at > before.counted_at);
    assert_eq!(day.local + day.erased, before.local);
    shop.run(SyncMode::Backfill).await.unwrap();
    assert!(!has(&shop, "ada").await && has(&shop, "somebody").await);
}

#[tokio::test]
async fn once_posthog_deleted_the_person_too_its_days_are_verified_by_what_is_left() {
    let shop = Shop::open(steady()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    erase(&shop, "ada").await;
    let stored = shop.rows().await.len();
    shop.edit(|project| project.retain_events(|event| &*event.distinct_id != "ada"));
    shop.pass(days(1));
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(verdict(&shop).await.verdict, Verdict::Pending);
    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    let day = verdict(&shop).await;
    assert_eq!((day.verdict, day.erased), (Verdict::Verified, 0));
    assert_eq!(summary.completeness.pending, 0);
    assert_eq!(shop.rows().await.len(), stored, "nobody else lost an event");
}

#[tokio::test]
async fn a_person_that_posthog_deleted_without_its_events_is_erased_by_any_of_its_ids() {
    let mut project = steady();
    project.capture(Event::new("$pageview", "ada's phone", at(NOW) - HOUR * 2));
    project.merge("ada's phone", "ada");
    let shop = Shop::open(project).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.edit(|project| {
        let ada = project.distinct_ids()["ada"].person_id;
        project.delete_person(ada, false);
    });
    shop.pass(days(1));
    shop.run(SyncMode::Refresh).await.unwrap();
    assert!(has(&shop, "ada").await, "its events are still in PostHog");
    assert_eq!(erase(&shop, "ada's phone").await.distinct_ids, 2);
    assert!(!has(&shop, "ada").await && !has(&shop, "ada's phone").await);
    assert!(has(&shop, "somebody").await);
    shop.run(SyncMode::Backfill).await.unwrap();
    assert!(!has(&shop, "ada").await);
}

#[tokio::test]
async fn a_person_erased_before_it_was_pulled_never_comes_in() {
    let shop = Shop::open(steady()).await;
    erase(&shop, "ada").await;
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(!has(&shop, "ada").await && has(&shop, "somebody").await);
    assert_eq!(
        (summary.repull_passes, summary.completeness.mismatch),
        (0, 0)
    );
    assert!(summary.completeness.verified > 20);
}

#[tokio::test]
async fn an_erasure_that_was_interrupted_is_finished_by_the_next_run() {
    let shop = Shop::open(steady()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let ada = erasure::ErasedPerson {
        persons: Vec::new(),
        distinct_ids: vec!["ada".to_owned()],
    };
    // The process dies between the tombstone and the first batch.
    shop.store
        .begin_erasure(shop.id(), &ada, at(NOW))
        .await
        .unwrap();
    assert!(has(&shop, "ada").await);
    shop.pass(HOUR);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert!(!has(&shop, "ada").await);
}
