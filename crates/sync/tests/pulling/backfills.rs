use domain::storage::{Deletion, RunEnd};
use domain::sync::SyncMode;
use jiff::SignedDuration;
use posthog_stub::{Event, Project, TooMuch};

use crate::oracle::{assert_exact, project};
use crate::shop::{NOW, PROJECT, Shop, at, backfilled_from, days};

#[tokio::test]
async fn a_backfill_ends_in_exactly_the_naive_oracles_rows() {
    for seed in 1..4 {
        let shop = Shop::open(project(seed, 900, at(NOW), days(40))).await;
        let summary = shop.run(SyncMode::Backfill).await.unwrap();
        assert_eq!(summary.to, at(NOW));
        assert_eq!(summary.from, backfilled_from(30));
        assert_exact(&shop, summary.from, summary.to).await;
        let rows = shop.rows().await.len() as u64;
        assert_eq!(summary.totals.events_stored, rows);
        assert_eq!(
            summary.totals.events_read,
            rows + summary.totals.duplicates + summary.totals.events_updated,
            "every row read is new, an update, or a duplicate"
        );
        assert_eq!(summary.completeness.pending, 0);
        assert_eq!(summary.completeness.mismatch, 0);
        assert_eq!(
            summary.completeness.verified, 30,
            "every day of the window but the last"
        );
    }
}

#[tokio::test]
async fn a_second_backfill_changes_nothing() {
    let shop = Shop::open(project(7, 300, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let before = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    let again = shop.run(SyncMode::Backfill).await.unwrap();
    let after = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    assert_eq!(again.totals.events_stored, 0);
    assert_eq!(again.totals.events_updated, 0);
    assert_eq!(before.change_seq, after.change_seq);
}

#[tokio::test]
async fn an_empty_project_has_a_complete_backfill() {
    let shop = Shop::open(Project::new(PROJECT, "Shop")).await;
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(summary.totals.events_read, 0);
    let run = shop.store.last_complete_run(shop.id()).await.unwrap();
    assert_eq!(run.unwrap().end, Some(RunEnd::Complete));
    let epoch = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    assert!(epoch.backfilled_at.is_some());
}

#[tokio::test]
async fn windows_that_posthog_cannot_answer_are_halved_until_it_can() {
    for status in [504, 512, 513] {
        let shop = Shop::open(project(11, 500, at(NOW), days(30))).await;
        shop.stub.set_limits(posthog_stub::Limits {
            too_much: Some(TooMuch {
                span: Some(SignedDuration::from_hours(24 * 9)),
                rows: Some(60),
                members: None,
                status,
            }),
            ..Default::default()
        });
        let summary = shop.run(SyncMode::Backfill).await.unwrap();
        shop.stub.set_limits(posthog_stub::Limits::default());
        assert_exact(&shop, summary.from, summary.to).await;
    }
}

#[tokio::test]
async fn many_events_in_one_microsecond_are_all_read_although_a_page_cannot_hold_them() {
    let mut project = Project::new(PROJECT, "Shop");
    let stamp = at(NOW) - days(3);
    for visitor in 0..150 {
        project.capture(Event::new(
            "$pageview",
            &format!("visitor-{visitor}"),
            stamp,
        ));
    }
    let mut shop = Shop::open(project).await;
    shop.page_rows = Some(40);
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(summary.totals.events_stored, 150);
}

#[tokio::test]
async fn nothing_beyond_the_retention_is_pulled_or_kept() {
    let mut shop = Shop::open(project(3, 300, at(NOW), days(30))).await;
    shop.settings.desired.retention_days = 10;
    shop.run(SyncMode::Backfill).await.unwrap();
    assert_exact(&shop, at(NOW) - days(10), at(NOW)).await;
    shop.pass(days(1));
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_exact(&shop, at(NOW) - days(9), at(NOW) + days(1)).await;
}

#[tokio::test]
async fn a_longer_backfill_that_is_asked_for_later_is_made_by_the_next_run() {
    let mut shop = Shop::open(project(5, 300, at(NOW), days(60))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.settings.desired.backfill_days = 50;
    shop.store
        .put_connection(&shop.settings.desired, at(NOW))
        .await
        .unwrap();
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Backfill);
    assert_exact(&shop, backfilled_from(50), at(NOW)).await;
}

#[tokio::test]
async fn reads_move_to_another_project_when_its_backfill_is_complete() {
    let mut shop = Shop::open(project(5, 50, at(NOW), days(20))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let first = shop.id();
    let mut other = Project::new(77, "Other shop");
    other.capture(Event::new("$pageview", "visitor", at(NOW) - days(1)));
    shop.stub.edit(|world| world.add_project(other));
    shop.settings.desired.epoch.project_id = domain::ProjectId::try_from(77).unwrap();
    let name = shop.settings.desired.name.clone();
    let record = shop
        .store
        .put_connection(&shop.settings.desired, at(NOW))
        .await
        .unwrap();
    assert_eq!(record.serving, first);
    shop.run(SyncMode::Refresh).await.unwrap();
    let record = shop.store.connection(&name).await.unwrap().unwrap();
    assert_eq!(record.serving, shop.id());
    assert_ne!(record.serving, first);
    assert!(shop.store.epoch(first).await.unwrap().is_some());

    // Nobody came back to the first one within the grace period.
    let grace = days(7);
    shop.settings.desired.deletion = Deletion::Delete { grace };
    let hour = SignedDuration::from_hours(1);
    for (pass, is_kept) in [(grace - hour, true), (hour, false)] {
        shop.pass(pass);
        shop.run(SyncMode::Refresh).await.unwrap();
        let epoch = shop.store.epoch(first).await.unwrap();
        assert_eq!(epoch.is_some(), is_kept);
    }
}

#[tokio::test]
async fn the_summary_is_one_json_object_with_the_promised_fields() {
    let shop = Shop::open(project(2, 40, at(NOW), days(20))).await;
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    let json = serde_json::to_value(&summary).unwrap();
    for field in [
        "connection",
        "mode",
        "from",
        "to",
        "eventsRead",
        "eventsStored",
        "duplicates",
        "lateEvents",
        "completeness",
        "requests",
        "bytesReceived",
    ] {
        assert!(json.get(field).is_some(), "{field} is missing in {json}");
    }
    assert_eq!(json["connection"], "acme/storefront");
    assert_eq!(json["mode"], "backfill");
    assert!(json["requests"].as_u64() > Some(0));
}
