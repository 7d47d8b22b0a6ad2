//! Texts: of any length, in the order of their bytes, and what becomes of NUL.

use domain::storage::{EventFilter, PersonMapping, ReadRange};
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, carrying, event, hours, mapping, start};
use super::oracle::{EARLIEST, LATEST, Oracle, all_events, all_links, listed};

pub(crate) async fn a_nul_is_stored_as_the_replacement_character(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mapped = mapping(&["add\u{fffd}"], &[]);
    site.store.remap(&site.lease, &mapped).await.unwrap();
    let mut sent = carrying(
        event(1, "add\0", "d\0", hours(1)),
        &[("customer_id", "7\0")],
    );
    sent.path = Some("/\0".to_owned());
    let mut kept = sent.clone();
    kept.replace_nul();
    assert!(kept.event.as_str() == "add\u{fffd}" && kept.distinct_id == "d\u{fffd}");
    let mut oracle = Oracle {
        mapping: Some(mapped),
        ..Oracle::default()
    };
    oracle.apply(std::slice::from_ref(&kept));
    for stored in [1, 0] {
        let outcome = site.store(std::slice::from_ref(&sent)).await;
        assert_eq!((outcome.stored, outcome.updated), (stored, 0));
        oracle.assert_kept(&*site.store, site.id).await;
    }
    let persons = [PersonMapping {
        distinct_id: "d\0".to_owned(),
        person_id: Uuid::from_u128(9),
    }];
    for changed in [1, 0] {
        let observed = site
            .store
            .observe_persons(&site.lease, &persons, &ReadRange::Answered, hours(2))
            .await;
        assert_eq!(observed.unwrap(), changed);
    }
    let rows = all_events(&*site.store, site.id).await;
    assert_eq!(rows[0].event.person_id, Some(Uuid::from_u128(9)));
}

pub(crate) async fn texts_of_any_length_are_kept_and_found(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let long = |salt: u64| noise(salt, 65_536);
    let mut oracle = Oracle::default();
    // Two names and ids that only differ far behind what an index holds of them.
    let (name, id) = (long(1), long(2));
    let mut sent = Vec::new();
    for (number, end) in [(1, "x"), (2, "y"), (3, "y")] {
        let mut event = carrying(
            event(
                number,
                &format!("{name}{end}"),
                &format!("{id}{end}"),
                hours(1),
            ),
            &[("customer_id", &long(3)), ("clientId", "c")],
        );
        event.elements_chain = Some(noise(4, 1 << 20));
        sent.push(event);
    }
    sent.push(carrying(
        event(4, "a", "d", hours(2)),
        &[("customer_id", &long(3)), ("clientId", &"c".repeat(500))],
    ));
    site.store(&sent).await;
    oracle.apply(&sent);
    oracle.assert_kept(&*site.store, site.id).await;
    let filter = EventFilter {
        names: vec![sent[1].event.clone()],
        ..EventFilter::default()
    };
    let of_name = listed(&*site.store, site.id, &filter).await;
    assert_eq!(of_name, oracle.in_order()[1..3]);
    let filter = EventFilter {
        distinct_ids: vec![sent[0].distinct_id.clone()],
        ..EventFilter::default()
    };
    let of_id = listed(&*site.store, site.id, &filter).await;
    assert_eq!(of_id, oracle.in_order()[..1]);
    let ids = site.store.distinct_ids_since(site.id, start(), None, 9);
    let ids = ids.await.unwrap();
    assert_eq!(ids.len(), 3);
    let persons: Vec<PersonMapping> = ids
        .into_iter()
        .zip(1..)
        .map(|(distinct_id, number)| PersonMapping {
            distinct_id,
            person_id: Uuid::from_u128(number),
        })
        .collect();
    for changed in [3, 0] {
        let observed = site
            .store
            .observe_persons(&site.lease, &persons, &ReadRange::Answered, hours(2))
            .await;
        assert_eq!(observed.unwrap(), changed);
    }
    let mapped = mapping(&[&format!("{name}y")], &[]);
    assert_eq!(site.store.remap(&site.lease, &mapped).await.unwrap(), 2);
    let gone = [Uuid::from_u128(2), Uuid::from_u128(3)];
    site.store.remove_events(&site.lease, &gone).await.unwrap();
    let counts = site
        .store
        .daily_event_counts(site.id, EARLIEST, LATEST, &[])
        .await
        .unwrap();
    assert_eq!(counts.len(), 2);
}

pub(crate) async fn texts_are_ordered_by_their_bytes(database: &dyn Database) {
    let mut site = Site::new(database).await;
    // No dictionary has them in this order.
    let ordered = [
        " z",
        "$a",
        "-",
        "A",
        "Z",
        "_",
        "a",
        "a b",
        "ab",
        "z",
        "é",
        "\u{1f600}",
    ];
    let events: Vec<_> = ordered
        .iter()
        .zip(1..)
        .map(|(text, uuid)| {
            let id = format!("{text}@shop.example").replace(' ', "-");
            carrying(
                event(uuid, text, text, hours(1)),
                &[("customer_id", text), ("clientId", &id)],
            )
        })
        .collect();
    site.store(&events).await;
    let ids = site.store.distinct_ids_since(site.id, start(), None, 99);
    assert_eq!(ids.await.unwrap(), ordered);
    let mut paged = Vec::new();
    while let Some(next) = site
        .store
        .distinct_ids_since(site.id, start(), paged.last().copied(), 1)
        .await
        .unwrap()
        .pop()
    {
        paged.push(&*String::leak(next));
    }
    assert_eq!(paged, ordered);
    let mut oracle = Oracle::default();
    oracle.apply(&events);
    oracle.assert_kept(&*site.store, site.id).await;
    let range = ReadRange::Span {
        after: Some("A".to_owned()),
        through: Some("a b".to_owned()),
    };
    let persons: Vec<_> = ordered
        .iter()
        .map(|text| PersonMapping {
            distinct_id: (*text).to_owned(),
            person_id: Uuid::from_u128(1),
        })
        .collect();
    let observe = async |persons: &[_], range| {
        let observed = site
            .store
            .observe_persons(&site.lease, persons, range, hours(2));
        observed.await.unwrap()
    };
    let all = observe(&persons, &ReadRange::Answered).await;
    assert_eq!(all, ordered.len() as u64);
    // Z, _, a and "a b" lie in the span and were not answered.
    assert_eq!(observe(&[], &range).await, 4);
    let links = all_links(&*site.store, site.id, true).await;
    assert!(links.is_sorted());
}

/// A text that cannot be compressed.
fn noise(salt: u64, length: usize) -> String {
    let mut state = salt;
    let mut next = || {
        // Knuth's MMIX generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
    };
    (0..length).map(|_| next()).collect()
}
