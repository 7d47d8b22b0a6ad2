//! Deletions on a day of which late events go on arriving: they are followed, and nothing else is removed.

use domain::storage::Verdict;
use domain::sync::SyncMode;
use jiff::civil::date;
use posthog_stub::Event;
use uuid::Uuid;

use super::{
    HOUR, delete_one, holds, pulled, refresh_after, refresh_during_removal, steady, verdict,
};
use crate::exact::database::Database;
use crate::shop::{Shop, at, days};

#[tokio::test]
async fn a_deletion_is_followed_while_late_events_of_the_day_arrive() {
    follow_while_events_arrive(&Database::sqlite()).await;
}

#[tokio::test]
async fn a_deletion_is_followed_while_late_events_of_the_day_arrive_in_postgresql() {
    follow_while_events_arrive(&Database::postgres("arriving")).await;
}

/// Before each run some late events of `DAY` arrive, never as many as the time before.
async fn follow_while_events_arrive(database: &Database) {
    let shop = Shop::open_in(steady(), database.open().await).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let gone = delete_one(&shop);
    for (hours, late, held) in [(24, 1, true), (1, 2, false), (1, 3, false)] {
        shop.pass(HOUR * hours);
        let late = arrive(&shop, late);
        shop.run(SyncMode::Refresh).await.unwrap();
        for uuid in late {
            assert!(holds(&shop, uuid).await, "late events are stored");
        }
        assert_eq!(holds(&shop, gone).await, held, "{hours} hours later");
    }
    assert_eq!(verdict(&shop).await.verdict, Verdict::Verified);
}

#[tokio::test]
async fn events_that_arrived_since_the_first_count_stay_though_a_read_lacks_them() {
    let shop = pulled().await;
    let gone = delete_one(&shop);
    refresh_after(&shop, days(1)).await;
    // One that had arrived is back, and one that arrives is deleted before the second count: each count has
    // one too many here.
    shop.pass(HOUR / 2);
    let late = arrive(&shop, 1)[0];
    shop.run(SyncMode::Refresh).await.unwrap();
    assert!(holds(&shop, late).await);
    shop.edit(|project| {
        let event = Event::new("$pageview", "visitor", at("2026-03-12T07:00:00Z")).uuid(gone);
        project.insert(event);
        project.retain_events(|event| event.uuid != late);
    });
    refresh_after(&shop, HOUR / 2).await;
    assert!(holds(&shop, gone).await && holds(&shop, late).await);
    assert_eq!(verdict(&shop).await.verdict, Verdict::Pending);
    refresh_after(&shop, HOUR).await;
    assert!(holds(&shop, gone).await, "it is there");
    assert!(!holds(&shop, late).await, "two counts lack it by now");
}

/// Lets late events of `DAY` arrive in PostHog now.
fn arrive(shop: &Shop, events: usize) -> Vec<Uuid> {
    let now = shop.clock_now();
    shop.edit(|project| {
        (0..events)
            .map(|_| {
                let uuid = Uuid::new_v4();
                let event = Event::new("$pageview", "visitor", at("2026-03-12T14:00:00Z"));
                project.capture(event.uuid(uuid).created_at(now));
                uuid
            })
            .collect()
    })
}

#[tokio::test]
async fn a_day_that_has_just_ended_is_counted_when_its_last_events_are_here() {
    let shop = pulled().await;
    let ended = date(2026, 3, 20);
    let counted = async || {
        let next = ended.tomorrow().unwrap();
        let verdicts = shop.store.verdicts(shop.id(), ended, next).await;
        verdicts.unwrap().pop()
    };
    shop.set_now(at("2026-03-20T23:50:00Z"));
    shop.run(SyncMode::Refresh).await.unwrap();
    // No pass can see it arrive.
    shop.edit(|project| {
        let stamp = at("2026-03-20T11:00:00Z");
        project.capture(Event::new("$pageview", "visitor", stamp).uuid(Uuid::from_u128(0xfee)));
    });
    shop.set_now(at("2026-03-21T00:50:00Z"));
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!((summary.repull_passes, counted().await), (0, None));
    shop.edit(|project| project.retain_events(|event| event.uuid != Uuid::from_u128(0xfee)));
    refresh_after(&shop, HOUR).await;
    assert_eq!(counted().await.unwrap().verdict, Verdict::Verified);
}

#[tokio::test]
async fn events_that_arrive_while_uuids_are_read_do_not_keep_a_deleted_one_here() {
    let shop = pulled().await;
    let gone = delete_one(&shop);
    refresh_after(&shop, days(1)).await;
    shop.pass(HOUR);
    let late = refresh_during_removal(&shop, || arrive(&shop, 3)).await;
    assert!(!holds(&shop, gone).await);
    refresh_after(&shop, HOUR).await;
    for uuid in late {
        assert!(holds(&shop, uuid).await);
    }
}

#[tokio::test]
async fn a_read_of_more_uuids_that_lacks_more_than_were_too_many_removes_nothing() {
    let shop = pulled().await;
    let first = delete_one(&shop);
    refresh_after(&shop, days(1)).await;
    shop.pass(HOUR);
    let second = refresh_during_removal(&shop, || {
        arrive(&shop, 3);
        delete_one(&shop)
    });
    let second = second.await;
    assert!(holds(&shop, first).await && holds(&shop, second).await);
}
