//! Lists: every filter in its order, page by page, each event once.

use domain::EventName;
use domain::stage::PostHogStage;
use domain::storage::{EventFilter, EventRow};
use jiff::Timestamp;
use jiff::civil::date;

use super::Database;
use super::fixtures::{Site, event, hours, mapping, start};
use super::oracle::{EARLIEST, Follower, LATEST, Oracle, listed};

fn events() -> Vec<domain::Event> {
    let names = ["$pageview", "add", "checkout", "search"];
    (0..60_u128)
        .map(|n| {
            let name = names[usize::try_from(n % 4).unwrap()];
            // Six events share each moment, so that pages end among ties.
            let at = hours(i64::try_from(n / 6).unwrap());
            let mut event = event(1000 - n, name, &format!("d{}", n % 5), at);
            event.path = Some(if n % 8 == 0 { "/products/shirt" } else { "/" }.to_owned());
            event.session_id = (n % 3 == 0).then(|| format!("s{}", n % 2));
            event
        })
        .collect()
}

fn passes(filter: &EventFilter, row: &EventRow) -> bool {
    let event = &row.event;
    filter.from.is_none_or(|from| event.timestamp >= from)
        && filter.to.is_none_or(|to| event.timestamp < to)
        && (filter.names.is_empty() || filter.names.contains(&event.event))
        && (filter.stages.is_empty()
            || row
                .stage
                .is_some_and(|stage| filter.stages.contains(&stage)))
        && (filter.distinct_ids.is_empty() || filter.distinct_ids.contains(&event.distinct_id))
        && filter
            .session_id
            .as_ref()
            .is_none_or(|id| Some(id) == event.session_id.as_ref())
}

pub(crate) async fn events_are_listed_in_order_whatever_the_filter(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mapped = mapping(&["add"], &["checkout"]);
    site.store.remap(&site.lease, &mapped).await.unwrap();
    site.store(&events()).await;
    let mut oracle = Oracle {
        mapping: Some(mapped),
        ..Oracle::default()
    };
    oracle.apply(&events());
    let names = |names: &[&str]| names.iter().map(|name| EventName::from(*name)).collect();
    let many: Vec<String> = (0..40).map(|n| format!("no such {n}")).collect();
    let mut too_many: Vec<EventName> = many
        .iter()
        .map(|name| EventName::from(name.as_str()))
        .collect();
    too_many.push("add".into());
    let filters = [
        EventFilter::default(),
        EventFilter {
            names: names(&["add"]),
            ..EventFilter::default()
        },
        EventFilter {
            names: names(&["search", "add", "add", "none"]),
            ..EventFilter::default()
        },
        EventFilter {
            names: too_many,
            ..EventFilter::default()
        },
        EventFilter {
            stages: PostHogStage::ALL.to_vec(),
            ..EventFilter::default()
        },
        EventFilter {
            stages: vec![PostHogStage::CheckoutStarted, PostHogStage::ProductViewed],
            names: names(&["$pageview", "search"]),
            ..EventFilter::default()
        },
        EventFilter {
            distinct_ids: vec!["d3".into()],
            ..EventFilter::default()
        },
        EventFilter {
            distinct_ids: vec!["d1".into()],
            names: names(&["add", "search"]),
            stages: vec![PostHogStage::AddedToCart],
            ..EventFilter::default()
        },
        EventFilter {
            distinct_ids: ["d4", "d0", "none", "d0"].map(str::to_owned).to_vec(),
            ..EventFilter::default()
        },
        EventFilter {
            session_id: Some("s1".into()),
            ..EventFilter::default()
        },
        EventFilter {
            session_id: Some("s0".into()),
            names: names(&["add", "search"]),
            stages: vec![PostHogStage::AddedToCart],
            ..EventFilter::default()
        },
        EventFilter {
            session_id: Some("s0".into()),
            distinct_ids: vec!["d0".into(), "d1".into()],
            ..EventFilter::default()
        },
    ];
    let ranges = [
        (None, None),
        (Some(hours(2)), None),
        (None, Some(hours(7))),
        (Some(hours(2)), Some(hours(7))),
        (Some(hours(7)), Some(hours(2))),
    ];
    let mut seen = 0;
    for filter in filters {
        for (from, to) in ranges {
            for newest_first in [false, true] {
                let filter = EventFilter {
                    from,
                    to,
                    newest_first,
                    ..filter.clone()
                };
                let mut expected = oracle.in_order();
                expected.retain(|row| passes(&filter, row));
                if newest_first {
                    expected.reverse();
                }
                seen += expected.len();
                assert_eq!(
                    listed(&*site.store, site.id, &filter).await,
                    expected,
                    "{filter:?}"
                );
            }
        }
    }
    assert!(seen > 500, "the filters must let something pass");
}

pub(crate) async fn changes_are_told_in_order_page_by_page(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut oracle = Oracle::default();
    let mut early = Follower::default();
    for page in events().chunks(7) {
        site.store(page).await;
        oracle.apply(page);
        early.catch_up(&*site.store, site.id).await;
        early.assert_knows(&oracle);
    }
    let gone: Vec<_> = events().iter().step_by(3).map(|event| event.uuid).collect();
    site.store.remove_events(&site.lease, &gone).await.unwrap();
    oracle.remove(&gone);
    for follower in [&mut early, &mut Follower::default()] {
        follower.catch_up(&*site.store, site.id).await;
        follower.assert_knows(&oracle);
        let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
        assert_eq!(follower.seq, epoch.change_seq);
    }
}

pub(crate) async fn distinct_ids_are_listed_by_arrival(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut events = [
        event(1, "a", "b", hours(1)),
        event(2, "a", "a", hours(1)),
        event(3, "a", "c", hours(9)),
        event(4, "a", "b", hours(1)),
        event(5, "a", "", hours(1)),
    ];
    events[3].created_at = hours(8);
    events[1].created_at = hours(5);
    events[4].created_at = hours(5);
    site.store(&events).await;
    let since = async |since, after, limit| {
        site.store
            .distinct_ids_since(site.id, since, after, limit)
            .await
            .unwrap()
    };
    assert_eq!(since(start(), None, 9).await, ["", "a", "b", "c"]);
    assert_eq!(since(hours(5), None, 2).await, ["", "a"]);
    assert_eq!(since(hours(5), Some("a"), 9).await, ["b", "c"]);
    assert_eq!(since(hours(6), None, 9).await, ["b", "c"]);
    assert!(since(hours(10), None, 9).await.is_empty());
}

pub(crate) async fn events_of_a_span_are_counted_each_once(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut other = Site::named(database.open().await, "another").await;
    other.store(&events()).await;
    let count = async |site: &Site, from, to| {
        let counted = site.store.count_events(site.id, hours(from), hours(to));
        counted.await.unwrap()
    };
    assert_eq!(count(&site, 0, 10).await, 0);
    site.store(&events()).await;
    // Stored again, they are the same; six share each hour.
    site.store(&events()).await;
    assert_eq!(count(&site, 0, 10).await, 60);
    assert_eq!(count(&site, 3, 5).await, 12);
    assert_eq!(count(&site, 9, 9).await, 0);
    let gone: Vec<_> = events()[18..20].iter().map(|event| event.uuid).collect();
    site.store.remove_events(&site.lease, &gone).await.unwrap();
    assert_eq!(count(&site, 3, 5).await, 10);
    let nobody = domain::ConnectionId(uuid::Uuid::nil());
    let counted = site.store.count_events(nobody, hours(0), hours(10)).await;
    assert_eq!(counted.unwrap(), 0);
}

pub(crate) async fn events_are_counted_by_utc_day(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let moments = [
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "2026-10-24T00:00:00Z",
        "2026-10-24T23:59:59.999999Z",
        "2026-10-25T00:00:00Z",
    ];
    let events: Vec<_> = moments
        .iter()
        .zip(1..)
        .map(|(moment, uuid)| event(uuid, "a", "d", super::fixtures::at(moment)))
        .collect();
    site.store(&events).await;
    // Days of the counts' zone must not matter here.
    site.store
        .set_time_zone(&site.lease, "Asia/Kathmandu")
        .await
        .unwrap();
    let counted = site
        .store
        .count_by_utc_day(site.id, EARLIEST, LATEST)
        .await
        .unwrap();
    let expected = [
        (date(1969, 12, 31), 1),
        (date(1970, 1, 1), 1),
        (date(2026, 10, 24), 2),
        (date(2026, 10, 25), 1),
    ];
    assert_eq!(counted, expected);
    let day = date(2026, 10, 24);
    let some = site
        .store
        .count_by_utc_day(site.id, day, date(2026, 10, 25))
        .await
        .unwrap();
    assert_eq!(some, [(day, 2)]);
    // Two events of the day, the first of which arrived before the second.
    let arrived = [events[2].created_at, events[3].created_at, Timestamp::MAX];
    for (before, expected) in arrived.into_iter().zip([0, 1, 2]) {
        let uuids = site.store.uuids_of_utc_day(site.id, day, before).await;
        let mut uuids = uuids.unwrap();
        uuids.sort();
        let told: Vec<_> = events[2..][..expected]
            .iter()
            .map(|event| event.uuid)
            .collect();
        assert_eq!(uuids, told, "before {before}");
    }
}
