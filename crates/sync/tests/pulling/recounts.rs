mod arriving;

use std::time::Duration;

use domain::storage::{DayVerdict, Verdict};
use domain::sync::SyncMode;
use jiff::SignedDuration;
use jiff::civil::{Date, date};
use posthog_stub::{Endpoint, Event, Fault, Project};
use uuid::Uuid;

use crate::oracle::assert_exact;
use crate::shop::{NOW, PROJECT, Shop, at, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The day on which tests tamper with PostHog's events.
const DAY: Date = date(2026, 3, 12);

/// Five events on every day of six weeks.
fn steady() -> Project {
    let mut project = Project::new(PROJECT, "Shop");
    for hour in 1..(24 * 45) {
        if hour % 5 == 1 {
            let stamp = at(NOW) - HOUR * hour;
            let uuid = Uuid::from_u128(u128::try_from(hour).unwrap() + 1);
            project.capture(Event::new("$pageview", "visitor", stamp).uuid(uuid));
        }
    }
    project
}

async fn pulled() -> Shop {
    let shop = Shop::open(steady()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop
}

async fn verdict(shop: &Shop) -> DayVerdict {
    let verdicts = shop
        .store
        .verdicts(shop.id(), DAY, DAY.tomorrow().unwrap())
        .await
        .unwrap();
    verdicts.into_iter().next().unwrap()
}

/// Removes one event of [`DAY`] from PostHog, as a deletion does: without a trace.
fn delete_one(shop: &Shop) -> Uuid {
    let morning = at("2026-03-12T06:00:00Z");
    shop.edit(|project| {
        let found = project
            .events()
            .iter()
            .find(|event| event.timestamp >= morning && event.timestamp < morning + HOUR * 16)
            .map(|event| event.uuid);
        let uuid = found.unwrap();
        project.retain_events(|event| event.uuid != uuid);
        uuid
    })
}

/// Puts an event into PostHog as if it had always been there: no pass can see it arrive.
fn slip_one_in(shop: &Shop) {
    shop.edit(|project| {
        project.capture(Event::new(
            "$pageview",
            "visitor",
            at("2026-03-12T15:00:00Z"),
        ));
    });
}

async fn holds(shop: &Shop, uuid: Uuid) -> bool {
    shop.rows().await.iter().any(|row| row.uuid == uuid)
}

async fn refresh_after(shop: &Shop, time: SignedDuration) {
    shop.pass(time);
    shop.run(SyncMode::Refresh).await.unwrap();
}

#[tokio::test]
async fn what_slipped_in_unseen_is_found_by_the_daily_recount_and_pulled_in_the_same_run() {
    let shop = pulled().await;
    slip_one_in(&shop);
    refresh_after(&shop, HOUR).await;
    let before = shop.rows().await.len();
    shop.pass(HOUR * 23);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.repull_passes, 1);
    assert_eq!(shop.rows().await.len(), before + 1);
    assert_eq!(verdict(&shop).await.verdict, Verdict::Verified);
    assert_eq!(summary.completeness.pending, 0);
}

#[tokio::test]
async fn a_deletion_is_followed_after_two_agreeing_recounts_an_hour_apart() {
    let shop = pulled().await;
    let gone = delete_one(&shop);
    refresh_after(&shop, days(1)).await;
    assert!(holds(&shop, gone).await, "one recount removes nothing");
    assert_eq!(verdict(&shop).await.verdict, Verdict::Pending);
    refresh_after(&shop, HOUR / 2).await;
    assert!(holds(&shop, gone).await, "half an hour is no hour");
    refresh_after(&shop, HOUR / 2).await;
    assert!(!holds(&shop, gone).await);
    assert_eq!(verdict(&shop).await.verdict, Verdict::Verified);
}

#[tokio::test]
async fn two_recounts_that_disagree_remove_nothing() {
    let shop = pulled().await;
    let first = delete_one(&shop);
    refresh_after(&shop, days(1)).await;
    let second = delete_one(&shop);
    refresh_after(&shop, HOUR).await;
    assert!(holds(&shop, first).await && holds(&shop, second).await);
    refresh_after(&shop, HOUR).await;
    assert!(!holds(&shop, first).await && !holds(&shop, second).await);
}

#[tokio::test]
async fn events_that_are_back_at_the_second_recount_stay() {
    let shop = pulled().await;
    let noon = at("2026-03-12T12:00:00Z");
    let hidden: Vec<Event> = shop.edit(|project| {
        let hidden: Vec<Event> = project
            .events()
            .iter()
            .filter(|event| event.timestamp >= noon && event.timestamp < noon + HOUR * 6)
            .cloned()
            .collect();
        project.retain_events(|event| !hidden.iter().any(|h| h.uuid == event.uuid));
        hidden
    });
    let before = shop.rows().await.len();
    refresh_after(&shop, days(1)).await;
    shop.edit(|project| hidden.into_iter().for_each(|event| project.insert(event)));
    refresh_after(&shop, HOUR).await;
    assert_eq!(shop.rows().await.len(), before);
    assert_eq!(verdict(&shop).await.verdict, Verdict::Verified);
}

#[tokio::test]
async fn a_day_whose_uuids_cannot_be_read_whole_loses_nothing() {
    let shop = pulled().await;
    let gone = delete_one(&shop);
    refresh_after(&shop, days(1)).await;
    for fault in [Fault::Truncated { bytes: 100 }, Fault::Internal] {
        shop.stub.faults().push_times(UUIDS, 1000, fault.clone());
        refresh_after(&shop, HOUR).await;
        let left = shop.stub.faults().remaining();
        assert!(left < 1000, "the uuids were asked for: {fault:?}");
        assert!(holds(&shop, gone).await, "{fault:?} removes nothing");
        shop.stub.faults().clear();
    }
    refresh_after(&shop, HOUR).await;
    assert!(!holds(&shop, gone).await, "a whole one does");
}

#[tokio::test]
async fn days_past_the_projects_retention_are_never_taken_for_deleted() {
    let shop = pulled().await;
    let before = shop.rows().await.len();
    shop.edit(|project| {
        project.event_retention_months = Some(1);
        project.events_retention_enforced = true;
    });
    for hours in [24, 1, 1, 24, 1, 1] {
        refresh_after(&shop, HOUR * hours).await;
    }
    assert_eq!(
        shop.rows().await.len(),
        before,
        "what PostHog dropped by age stays"
    );
}

#[tokio::test]
async fn a_day_that_never_agrees_is_pulled_twice_and_then_named() {
    let mut shop = Shop::open(steady()).await;
    shop.settings.desired.backfill_days = 60;
    let store = &shop.store;
    store
        .put_connection(&shop.settings.desired, at(NOW))
        .await
        .unwrap();
    // One uuid on two days so far apart that no count sees both: PostHog counts it on each, while
    // here only its winner is kept.
    let uuid = Uuid::from_u128(0xabc);
    let lost = at("2026-03-12T15:00:00Z");
    shop.edit(|project| {
        project.capture(Event::new("$pageview", "visitor", lost).uuid(uuid));
        let won = Event::new("$pageview", "visitor", lost - days(45)).uuid(uuid);
        project.capture(won.created_at(at(NOW) - HOUR));
    });
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(summary.repull_passes, 2);
    assert_eq!(summary.completeness.mismatch, 1);
    assert_eq!(summary.completeness.worst.unwrap().day, DAY);
    let named = verdict(&shop).await;
    assert_eq!((named.verdict, named.repulls), (Verdict::Mismatch, 2));
    shop.pass(days(1));
    let again = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(again.repull_passes, 0, "not pulled again and again");
    assert_eq!(verdict(&shop).await.verdict, Verdict::Mismatch);
}

#[tokio::test]
async fn old_days_are_all_counted_within_thirty_days() {
    let mut shop = Shop::open(steady()).await;
    shop.settings.desired.backfill_days = 44;
    shop.store
        .put_connection(&shop.settings.desired, at(NOW))
        .await
        .unwrap();
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(summary.completeness.verified, 44);
    assert_exact(&shop, summary.from, summary.to).await;
    let gone = shop.edit(|project| {
        let oldest = project
            .events()
            .iter()
            .filter(|event| event.timestamp > at(NOW) - days(40))
            .min_by_key(|event| event.timestamp)
            .map(|event| event.uuid);
        let uuid = oldest.unwrap();
        project.retain_events(|event| event.uuid != uuid);
        uuid
    });
    for _ in 0..31 {
        refresh_after(&shop, days(1)).await;
        refresh_after(&shop, HOUR).await;
    }
    assert!(!holds(&shop, gone).await);
}

/// The query for a day's uuids and the one for its counts, as PostHog's log names them.
const UUIDS: Endpoint = Endpoint::Named("ordinary_posthog_uuids_of_day");
const RECOUNT: Endpoint = Endpoint::Named("ordinary_posthog_recount");

/// Refreshes, and makes a change while the uuids of [`DAY`] are read, after it was counted.
async fn refresh_during_removal<R>(shop: &Shop, change: impl FnOnce() -> R) -> R {
    shop.stub
        .faults()
        .push(UUIDS, Fault::Delay(Duration::from_millis(400)));
    let (_, changed) = tokio::join!(shop.run(SyncMode::Refresh), async {
        let asked = |shop: &Shop| {
            let name = Some("ordinary_posthog_uuids_of_day");
            let mut requests = shop.stub.requests().into_iter();
            requests.any(|request| request.name.as_deref() == name)
        };
        while !asked(shop) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        change()
    });
    changed
}

#[tokio::test]
async fn a_read_of_fewer_uuids_than_were_counted_removes_nothing() {
    let shop = pulled().await;
    let first = delete_one(&shop);
    refresh_after(&shop, days(1)).await;
    // The answer is whole, and yet not the one that was counted: another event goes just then.
    shop.pass(HOUR);
    let second = refresh_during_removal(&shop, || delete_one(&shop)).await;
    assert!(holds(&shop, first).await && holds(&shop, second).await);
    assert_eq!(verdict(&shop).await.verdict, Verdict::Pending);
    refresh_after(&shop, HOUR).await;
    assert!(holds(&shop, first).await, "its count is a new one");
    refresh_after(&shop, HOUR).await;
    assert!(!holds(&shop, first).await && !holds(&shop, second).await);
}

#[tokio::test]
async fn a_recount_that_broke_off_judges_no_day() {
    let shop = pulled().await;
    let gone = delete_one(&shop);
    let before = verdict(&shop).await;
    for fault in [
        Fault::Truncated { bytes: 150 },
        Fault::ShortRows,
        Fault::ErrorInBody,
    ] {
        shop.stub.faults().always(RECOUNT, fault);
        refresh_after(&shop, days(1)).await;
        assert_eq!(verdict(&shop).await, before);
        shop.stub.faults().clear();
    }
    assert!(holds(&shop, gone).await);
}

#[tokio::test]
async fn one_day_too_heavy_to_count_does_not_keep_the_others_from_being_counted() {
    let mut project = steady();
    for second in 0..100 {
        let stamp = at("2026-03-05T12:00:00Z") + SignedDuration::from_secs(second);
        project.capture(Event::new("$pageview", "visitor", stamp));
    }
    let shop = Shop::open(project).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let gone = delete_one(&shop);
    // More than any day has, but for the heavy one.
    shop.stub.set_limits(posthog_stub::Limits {
        too_much: Some(posthog_stub::TooMuch {
            span: None,
            rows: Some(60),
            members: None,
            status: 504,
        }),
        ..Default::default()
    });
    refresh_after(&shop, days(1)).await;
    assert_eq!(verdict(&shop).await.verdict, Verdict::Pending);
    refresh_after(&shop, HOUR).await;
    assert!(!holds(&shop, gone).await);
    let heavy = date(2026, 3, 5);
    let next = heavy.tomorrow().unwrap();
    let known = shop.store.verdicts(shop.id(), heavy, next).await.unwrap();
    assert!(
        known[0].counted_at < at(NOW) + days(1),
        "it was not counted"
    );
}

#[tokio::test]
async fn an_event_sent_again_on_the_next_day_is_counted_once() {
    let shop = pulled().await;
    let (uuid, stamp) = (Uuid::from_u128(0xdef), at("2026-03-12T20:00:00Z"));
    shop.edit(|project| {
        let arrived = at(NOW) - HOUR;
        for later in [SignedDuration::ZERO, HOUR * 8] {
            let row = Event::new("$pageview", "visitor", stamp + later).uuid(uuid);
            project.capture(row.created_at(arrived + later / 60));
        }
    });
    let both = |shop: &Shop| {
        shop.edit(|project| {
            let rows = project.events().iter().filter(|row| row.uuid == uuid);
            rows.count()
        })
    };
    assert_eq!(
        both(&shop),
        2,
        "a plain count of each day's uuids has it twice"
    );
    refresh_after(&shop, days(1)).await;
    let kept = shop.rows().await.into_iter().find(|row| row.uuid == uuid);
    assert_eq!(kept.unwrap().timestamp, stamp + HOUR * 8);
    let end = DAY.saturating_add(jiff::ToSpan::days(2));
    let verdicts = shop.store.verdicts(shop.id(), DAY, end).await.unwrap();
    let [first, second] = verdicts.as_slice() else {
        panic!("{verdicts:?}");
    };
    for day in [first, second] {
        assert_eq!(
            (day.verdict, day.repulls),
            (Verdict::Verified, 0),
            "{day:?}"
        );
        assert_eq!(day.counted_at, at(NOW) + days(1));
    }
}

#[tokio::test]
async fn a_days_uuids_are_compared_whole_however_many_answers_they_take() {
    let mut shop = pulled().await;
    shop.page_rows = Some(2);
    let gone = delete_one(&shop);
    let before = shop.rows().await.len();
    refresh_after(&shop, days(1)).await;
    refresh_after(&shop, HOUR).await;
    assert!(!holds(&shop, gone).await);
    let late = shop.edit(|project| {
        let since = at(NOW);
        let rows = project.events().iter().filter(|row| row.timestamp >= since);
        rows.count()
    });
    assert_eq!(shop.rows().await.len(), before - 1 + late);
}
