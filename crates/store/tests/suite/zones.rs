//! Time zones: counts are of the zone's days, before and after a change.

use domain::connection::ConnectionName;
use domain::erasure::erase;
use domain::identity::IdentityKey;
use jiff::civil::date;

use super::Database;
use super::fixtures::{Site, at, beside, event, hours, mapping};
use super::oracle::Oracle;

fn events() -> Vec<domain::Event> {
    // Around the end of summer time in Berlin, and far away on both sides.
    let mut events: Vec<_> = (0..96_u128)
        .map(|n| {
            let name = if n % 2 == 0 { "add" } else { "search" };
            event(n, name, "d", hours(i64::try_from(n).unwrap() - 12))
        })
        .collect();
    events.push(event(200, "add", "d", at("1969-07-20T20:17:40Z")));
    events.push(event(201, "add", "d", at("2099-12-31T23:30:00Z")));
    events
}

pub(crate) async fn counts_are_of_the_days_of_the_zone(database: &dyn Database) {
    let mut site = Site::new(database).await;
    site.store
        .set_time_zone(&site.lease, "Europe/Berlin")
        .await
        .unwrap();
    site.store(&events()).await;
    let mut oracle = Oracle {
        zone: Some("Europe/Berlin".to_owned()),
        ..Oracle::default()
    };
    oracle.apply(&events());
    oracle.assert_kept(&*site.store, site.id).await;
    let long_day = date(2026, 10, 25);
    let counted = site
        .store
        .daily_event_counts(
            site.id,
            long_day,
            date(2026, 10, 26),
            &["add".into(), "none".into()],
        )
        .await
        .unwrap();
    // 25 hours, of which every second one has an "add".
    assert_eq!(counted.len(), 1);
    assert_eq!(counted[0].events, 13);
}

pub(crate) async fn a_change_of_zone_counts_every_event_anew(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mapped = mapping(&["add"], &[]);
    site.store.remap(&site.lease, &mapped).await.unwrap();
    let mut oracle = Oracle {
        mapping: Some(mapped),
        ..Oracle::default()
    };
    for (number, zone) in ["Asia/Kathmandu", "America/New_York", "UTC", "Pacific/Apia"]
        .into_iter()
        .enumerate()
    {
        let page: Vec<_> = events().into_iter().skip(number).step_by(4).collect();
        site.store(&page).await;
        oracle.apply(&page);
        let before = site.store.epoch(site.id).await.unwrap().unwrap();
        site.store.set_time_zone(&site.lease, zone).await.unwrap();
        oracle.zone = Some(zone.to_owned());
        oracle.assert_kept(&*site.store, site.id).await;
        let after = site.store.epoch(site.id).await.unwrap().unwrap();
        assert_eq!(after.time_zone.as_deref(), Some(zone));
        assert_eq!(after.mapping_revision, before.mapping_revision + 1);
        site.store.set_time_zone(&site.lease, zone).await.unwrap();
        let again = site.store.epoch(site.id).await.unwrap().unwrap();
        assert_eq!(again.mapping_revision, after.mapping_revision);
    }
    let refused = site.store.set_time_zone(&site.lease, "Europe/Berlim").await;
    assert!(refused.is_err());
    oracle.assert_kept(&*site.store, site.id).await;
}

pub(crate) async fn an_erasure_while_the_counts_of_another_zone_are_built_is_in_them(
    database: &dyn Database,
) {
    let mapped = mapping(&["add"], &[]);
    for polls in (0..120).step_by(8) {
        let shop = format!("shop-{polls}");
        let mut site = Site::named(database.open().await, &shop).await;
        site.store.remap(&site.lease, &mapped).await.unwrap();
        // Who is erased comes on the first days, which are counted first, and on the last.
        let others = events().into_iter().enumerate().map(|(n, event)| {
            let distinct_id = if (30..90).contains(&n) { "bob" } else { "ada" };
            domain::Event {
                distinct_id: distinct_id.to_owned(),
                ..event
            }
        });
        let all: Vec<_> = others.collect();
        site.store(&all).await;

        let other = database.open().await;
        let (name, key) = (
            ConnectionName::new("acme", &shop),
            IdentityKey::DistinctId("ada".to_owned()),
        );
        let built = beside(
            site.store.set_time_zone(&site.lease, "Asia/Kathmandu"),
            polls,
            async { erase(&*other, &name, &key, hours(5)).await.unwrap() },
        );
        built.await.unwrap();

        let mut oracle = Oracle {
            mapping: Some(mapped.clone()),
            zone: Some("Asia/Kathmandu".to_owned()),
            ..Oracle::default()
        };
        let left = all.into_iter().filter(|event| event.distinct_id != "ada");
        oracle.apply(&left.collect::<Vec<_>>());
        oracle.assert_kept(&*site.store, site.id).await;
    }
}
