use domain::sync::SyncMode;
use jiff::SignedDuration;
use posthog_stub::Event;
use uuid::Uuid;

use crate::oracle::{Dice, add_events, assert_exact, project, winners};
use crate::shop::{NOW, Shop, at, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn hourly_refreshes_follow_everything_that_happens() {
    let shop = Shop::open(project(21, 400, at(NOW), days(30))).await;
    let from = shop.run(SyncMode::Backfill).await.unwrap().from;
    let mut dice = Dice::new(99);
    for _ in 0..8 {
        shop.pass(HOUR);
        let now = shop.clock_now();
        shop.edit(|project| add_events(project, &mut dice, 25, now, HOUR));
        // Days late, yet just arrived.
        shop.edit(|project| {
            let stamp = now - days(i64::try_from(dice.roll(25)).unwrap());
            project.capture(Event::new("$pageview", "late", stamp).created_at(now - HOUR / 2));
        });
        let summary = shop.run(SyncMode::Refresh).await.unwrap();
        assert_eq!(summary.mode, SyncMode::Refresh);
        assert_exact(&shop, from, now).await;
    }
}

#[tokio::test]
async fn an_event_stamped_ahead_waits_for_the_run_whose_window_holds_it() {
    let shop = Shop::open(project(4, 30, at(NOW), days(5))).await;
    let uuid = Uuid::from_u128(17);
    let ahead = at(NOW) + SignedDuration::from_mins(90);
    shop.edit(|project| {
        project.capture(
            Event::new("checkout started", "early", ahead)
                .uuid(uuid)
                .created_at(at(NOW)),
        )
    });
    let holds = async || shop.rows().await.iter().any(|row| row.uuid == uuid);
    let from = shop.run(SyncMode::Backfill).await.unwrap().from;
    assert!(!holds().await);
    shop.pass(HOUR);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert!(!holds().await);
    shop.pass(HOUR);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert!(holds().await);
    assert_exact(&shop, from, at(NOW) + HOUR * 2).await;
}

#[tokio::test]
async fn late_events_are_counted_as_late_and_only_once() {
    let shop = Shop::open(project(4, 30, at(NOW), days(5))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.pass(HOUR);
    let now = shop.clock_now();
    shop.edit(|project| {
        for hours in [20, 300] {
            let stamp = now - HOUR * hours;
            project.capture(Event::new("$pageview", "late", stamp).created_at(now - HOUR / 6));
        }
    });
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.totals.late_events, 2);
    assert_eq!(summary.totals.events_stored, 2);
    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.totals.late_events, 0);
    assert_eq!(summary.totals.events_stored, 0);
}

#[tokio::test]
async fn a_quiet_refresh_of_a_small_shop_takes_eight_requests_at_most() {
    let shop = Shop::open(project(8, 200, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let report = sync::check(&shop.client(), None, at(NOW)).await.unwrap();
    let name = &shop.settings.desired.name;
    shop.store
        .record_check(name, &report.summary)
        .await
        .unwrap();
    for hour in 1..=30 {
        shop.pass(HOUR);
        let now = shop.clock_now();
        let mut dice = Dice::new(hour);
        shop.edit(|project| add_events(project, &mut dice, 5, now, HOUR));
        shop.stub.clear_requests();
        let summary = shop.run(SyncMode::Refresh).await.unwrap();
        let asked: Vec<_> = shop.stub.requests().into_iter().map(|r| r.name).collect();
        assert_eq!(summary.totals.requests, asked.len() as u64);
        assert!(
            asked.len() <= 8,
            "{} requests in hour {hour}: {asked:?}",
            asked.len()
        );
    }
}

#[tokio::test]
async fn a_long_pause_is_caught_up_and_a_longer_one_is_a_backfill() {
    let shop = Shop::open(project(6, 100, at(NOW), days(20))).await;
    let from = shop.run(SyncMode::Backfill).await.unwrap().from;
    let mut dice = Dice::new(3);
    shop.pass(days(12));
    let now = shop.clock_now();
    shop.edit(|project| add_events(project, &mut dice, 100, now, days(12)));
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Refresh);
    assert_exact(&shop, from, now).await;

    shop.pass(days(31));
    let now = shop.clock_now();
    shop.edit(|project| add_events(project, &mut dice, 100, now, days(29)));
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Backfill);
    let wanted = winners(&shop, summary.from, summary.to);
    let stored = crate::oracle::stored(&shop).await;
    assert!(wanted.iter().all(|fact| stored.contains(fact)));
}

#[tokio::test]
async fn a_run_of_a_clock_that_was_ahead_keeps_nobody_waiting() {
    let shop = Shop::open(project(3, 100, at(NOW), days(30))).await;
    shop.pass(days(20));
    shop.run(SyncMode::Backfill).await.unwrap();

    shop.pass(days(-20));
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Backfill, "no run lies before now");
    assert_eq!(summary.to, shop.clock_now());
}
