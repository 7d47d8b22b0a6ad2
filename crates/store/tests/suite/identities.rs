//! Links: from events exactly as long as they are carried, from persons with their history.

mod follower;

use domain::identity::{Evidence, IdPropertyKind, IdentityKey, IdentityLink, resolve};
use domain::storage::{PersonMapping, ReadRange};
use jiff::Timestamp;
use uuid::Uuid;

use self::follower::PersonFollower;
use super::Database;
use super::fixtures::{Site, carrying, desired, event, hours, start};
use super::oracle::{Oracle, all_events, all_links};

fn person(number: u128) -> Uuid {
    Uuid::from_u128(0x1000 + number)
}

fn mapped(pairs: &[(&str, u128)]) -> Vec<PersonMapping> {
    pairs
        .iter()
        .map(|(distinct_id, number)| PersonMapping {
            distinct_id: (*distinct_id).to_owned(),
            person_id: person(*number),
        })
        .collect()
}

fn link(
    distinct_id: &str,
    number: u128,
    from: Timestamp,
    to: Option<Timestamp>,
    last_seen: Timestamp,
) -> IdentityLink {
    IdentityLink {
        distinct_id: distinct_id.to_owned(),
        to: IdentityKey::Person(person(number)),
        evidence: Evidence::PersonMapping,
        valid_from: from,
        valid_to: to,
        last_seen,
    }
}

impl Site {
    async fn observe(&self, pairs: &[(&str, u128)], range: &ReadRange, at: Timestamp) -> u64 {
        self.store
            .observe_persons(&self.lease, &mapped(pairs), range, at)
            .await
            .unwrap()
    }

    async fn current(&self) -> Vec<(String, Uuid)> {
        let links = all_links(&*self.store, self.id, false).await;
        links
            .into_iter()
            .filter_map(|link| match link.to {
                IdentityKey::Person(id) => Some((link.distinct_id, id)),
                _ => None,
            })
            .collect()
    }
}

fn pairs(expected: &[(&str, u128)]) -> Vec<(String, Uuid)> {
    expected
        .iter()
        .map(|(id, number)| ((*id).to_owned(), person(*number)))
        .collect()
}

pub(crate) async fn links_follow_the_events_that_carry_them(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut oracle = Oracle::default();
    let pages = [
        vec![
            carrying(
                event(1, "a", "d1", hours(1)),
                &[("customer_id", "7"), ("clientId", "c")],
            ),
            carrying(event(2, "a", "d1", hours(3)), &[("customer_id", " 7 ")]),
            carrying(event(3, "a", "d2", hours(2)), &[("customer_id", "null")]),
            event(4, "a", "Ada@Shop.example", hours(2)),
        ],
        // The last sight of customer 7 becomes one of customer 8.
        vec![carrying(
            event(2, "a", "d1", hours(4)),
            &[("customer_id", "8")],
        )],
        // The e-mail's only event moves to another id.
        vec![event(4, "a", "d3", hours(5))],
        vec![carrying(
            event(5, "a", "d1", hours(0)),
            &[("customer_id", "7")],
        )],
    ];
    for page in pages {
        site.store(&page).await;
        oracle.apply(&page);
        assert_eq!(all_links(&*site.store, site.id, true).await, oracle.links());
    }
    assert_eq!(oracle.links().len(), 3);
}

pub(crate) async fn a_moved_id_ends_one_link_and_begins_another(database: &dyn Database) {
    let site = Site::new(database).await;
    let range = ReadRange::Answered;
    assert_eq!(
        site.observe(&[("d1", 1), ("d2", 2)], &range, hours(1))
            .await,
        2
    );
    site.store
        .persons_read(&site.lease, hours(2))
        .await
        .unwrap();
    assert_eq!(site.observe(&[("d1", 2)], &range, hours(3)).await, 1);
    assert_eq!(site.observe(&[("d1", 1)], &range, hours(4)).await, 1);
    let history = all_links(&*site.store, site.id, true).await;
    let expected = [
        link("d1", 1, hours(1), Some(hours(3)), hours(2)),
        link("d1", 1, hours(4), None, hours(4)),
        link("d1", 2, hours(3), Some(hours(4)), hours(3)),
        link("d2", 2, hours(1), None, hours(2)),
    ];
    assert_eq!(history, expected);
    assert_eq!(site.current().await, pairs(&[("d1", 1), ("d2", 2)]));
    let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
    assert_eq!(epoch.persons_read_at, Some(hours(2)));
}

pub(crate) async fn a_follower_of_changes_knows_every_persons_ids(database: &dyn Database) {
    let site = Site::new(database).await;
    let span = ReadRange::Span {
        after: None,
        through: None,
    };
    let ids = |ids: &[&str]| ReadRange::Ids(ids.iter().map(|id| (*id).to_owned()).collect());
    let mut follower = PersonFollower::default();
    let steps: [(&[(&str, u128)], ReadRange); 6] = [
        (&[("d1", 1), ("d2", 2), ("d3", 3)], span.clone()),
        (&[("d1", 2)], ReadRange::Answered),
        (&[], ids(&["d3"])),
        // There and back between two looks of the follower, at one instant.
        (&[("d1", 1), ("d3", 3)], ReadRange::Answered),
        (&[("d1", 2)], ReadRange::Answered),
        (&[("d1", 1), ("d2", 1)], span),
    ];
    for (step, (mappings, range)) in steps.iter().enumerate() {
        let at = hours(i64::try_from(step / 2).unwrap());
        site.observe(mappings, range, at).await;
        if step != 3 {
            follower.catch_up(&*site.store, site.id).await;
            assert_eq!(follower.known(), site.current().await);
        }
    }
    let mut late = PersonFollower::default();
    late.catch_up(&*site.store, site.id).await;
    assert_eq!(late.known(), pairs(&[("d1", 1), ("d2", 1)]));
    let none = site.store.person_changes(site.id, late.seq, 10).await;
    assert_eq!(none.unwrap(), []);
}

pub(crate) async fn an_unchanged_mapping_writes_nothing(database: &dyn Database) {
    let site = Site::new(database).await;
    let seen = [("d1", 1), ("d2", 2)];
    site.observe(&seen, &ReadRange::Answered, hours(1)).await;
    let before = all_links(&*site.store, site.id, true).await;
    let everything = ReadRange::Span {
        after: None,
        through: None,
    };
    assert_eq!(site.observe(&seen, &everything, hours(2)).await, 0);
    assert_eq!(all_links(&*site.store, site.id, true).await, before);
}

pub(crate) async fn ids_that_were_asked_for_and_not_answered_have_no_person(
    database: &dyn Database,
) {
    let site = Site::new(database).await;
    let all = [("d1", 1), ("d2", 2), ("d3", 3)];
    site.observe(&all, &ReadRange::Answered, hours(1)).await;
    let asked = ReadRange::Ids(vec!["d1".into(), "d2".into(), "never seen".into()]);
    assert_eq!(site.observe(&[("d1", 1)], &asked, hours(2)).await, 1);
    assert_eq!(site.current().await, pairs(&[("d1", 1), ("d3", 3)]));
    assert_eq!(site.observe(&[], &asked, hours(3)).await, 1);
    assert_eq!(site.current().await, pairs(&[("d3", 3)]));
}

pub(crate) async fn a_span_covers_exactly_its_ids(database: &dyn Database) {
    let site = Site::new(database).await;
    // In byte order, not in anybody's alphabet.
    let all = [("B", 1), ("a", 2), ("b", 3), ("bb", 4), ("c", 5), ("é", 6)];
    let span = |after: Option<&str>, through: Option<&str>| ReadRange::Span {
        after: after.map(str::to_owned),
        through: through.map(str::to_owned),
    };
    site.observe(&all, &ReadRange::Answered, hours(1)).await;
    assert_eq!(
        site.observe(&[], &span(Some("a"), Some("bb")), hours(2))
            .await,
        2
    );
    assert_eq!(
        site.current().await,
        pairs(&[("B", 1), ("a", 2), ("c", 5), ("é", 6)])
    );
    assert_eq!(
        site.observe(&[("a", 9)], &span(None, Some("a")), hours(3))
            .await,
        2
    );
    assert_eq!(site.current().await, pairs(&[("a", 9), ("c", 5), ("é", 6)]));
    assert_eq!(site.observe(&[], &span(Some("c"), None), hours(4)).await, 1);
    assert_eq!(site.current().await, pairs(&[("a", 9), ("c", 5)]));
}

pub(crate) async fn an_event_shows_the_person_that_its_id_has_now(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut events = [event(1, "a", "d1", hours(1)), event(2, "a", "d2", hours(2))];
    events[0].person_id = Some(person(1));
    events[1].person_id = Some(person(2));
    site.store(&events).await;
    let persons = async || -> Vec<Option<Uuid>> {
        let rows = all_events(&*site.store, site.id).await;
        rows.into_iter().map(|row| row.event.person_id).collect()
    };
    site.observe(&[("d1", 9)], &ReadRange::Answered, hours(3))
        .await;
    assert_eq!(persons().await, [Some(person(9)), Some(person(2))]);
    let gone = ReadRange::Ids(vec!["d1".into()]);
    site.observe(&[], &gone, hours(4)).await;
    assert_eq!(persons().await, [Some(person(1)), Some(person(2))]);
}

pub(crate) async fn links_are_found_from_every_side(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let events = [
        carrying(
            event(1, "a", "d1", hours(1)),
            &[("customer_id", "7"), ("clientId", "x")],
        ),
        carrying(event(2, "a", "d2", hours(2)), &[("customer_id", "x")]),
        event(3, "a", "ada@shop.example", hours(3)),
    ];
    site.store(&events).await;
    site.observe(
        &[("d1", 1), ("d2", 1), ("d3", 2)],
        &ReadRange::Answered,
        hours(1),
    )
    .await;
    site.observe(&[("d3", 1)], &ReadRange::Answered, hours(2))
        .await;
    let touching = async |keys: &[IdentityKey], limit| -> Vec<(String, IdentityKey)> {
        let links = site.store.links_of(site.id, keys, limit).await.unwrap();
        links
            .into_iter()
            .map(|link| (link.distinct_id, link.to))
            .collect()
    };
    let to = |id: &str, key: IdentityKey| (id.to_owned(), key);
    let first = IdentityKey::Person(person(1));
    let customer = |id: &str| IdentityKey::CustomerId(id.to_owned());
    let anonymous = |id: &str| IdentityKey::AnonymousId(id.to_owned());
    let email = IdentityKey::Email("ada@shop.example".to_owned());
    let of_d1 = [
        to("d1", first.clone()),
        to("d1", customer("7")),
        to("d1", anonymous("x")),
    ];
    assert_eq!(
        touching(&[IdentityKey::DistinctId("d1".into())], 9).await,
        of_d1
    );
    let of_first = ["d1", "d2", "d3"].map(|id| to(id, first.clone()));
    assert_eq!(touching(std::slice::from_ref(&first), 9).await, of_first);
    assert!(
        touching(&[IdentityKey::Person(person(2))], 9)
            .await
            .is_empty()
    );
    // The same text as a customer and as an anonymous id is two nodes.
    assert_eq!(
        touching(&[customer("x")], 9).await,
        [to("d2", customer("x"))]
    );
    assert_eq!(
        touching(&[anonymous("x")], 9).await,
        [to("d1", anonymous("x"))]
    );
    assert_eq!(
        touching(std::slice::from_ref(&email), 9).await,
        [to("ada@shop.example", email.clone())]
    );
    // Several keys: each link once, in order, and no more than asked for.
    let both = [
        customer("7"),
        IdentityKey::DistinctId("d1".into()),
        first.clone(),
    ];
    let all = touching(&both, 9).await;
    assert_eq!(all[..3], of_d1);
    assert_eq!(all.len(), 5);
    assert_eq!(touching(&both, 2).await, of_d1[..2]);
}

pub(crate) async fn links_are_listed_in_one_order_page_by_page(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let events: Vec<_> = (0..12_u128)
        .map(|n| {
            let id = format!("d{}", n % 4);
            let customer = (n / 4).to_string();
            carrying(
                event(n, "a", &id, hours(i64::try_from(n).unwrap())),
                &[
                    ("customer_id", &format!("c{customer}")),
                    ("clientId", &format!("a{customer}")),
                ],
            )
        })
        .collect();
    site.store(&events).await;
    for moved in 0..3 {
        let pairs = [("d0", moved), ("d2", moved % 2), ("d9", 5)];
        site.observe(
            &pairs,
            &ReadRange::Answered,
            hours(i64::try_from(moved).unwrap()),
        )
        .await;
    }
    for history in [false, true] {
        let paged = all_links(&*site.store, site.id, history).await;
        let at_once = site
            .store
            .links(site.id, history, None, 1000)
            .await
            .unwrap();
        let at_once: Vec<IdentityLink> = at_once.into_iter().map(|(_, link)| link).collect();
        assert_eq!(paged, at_once);
        let mut sorted = paged.clone();
        sorted.sort();
        assert_eq!(paged, sorted);
        assert_eq!(paged.len(), if history { 24 + 7 } else { 24 + 3 });
        assert!(history || paged.iter().all(|link| link.valid_to.is_none()));
    }
}

pub(crate) async fn a_changed_property_kind_needs_no_new_events(database: &dyn Database) {
    let mut site = Site::new(database).await;
    site.store(&[carrying(
        event(1, "a", "d1", hours(1)),
        &[("clientId", "x")],
    )])
    .await;
    let kinds = async || -> Vec<IdentityKey> {
        let links = all_links(&*site.store, site.id, true).await;
        links.into_iter().map(|link| link.to).collect()
    };
    assert_eq!(kinds().await, [IdentityKey::AnonymousId("x".into())]);
    let mut changed = desired("acme", "shop", 7);
    changed.id_properties.remove(0);
    changed.id_properties[0].kind = IdPropertyKind::Customer;
    site.store.put_connection(&changed, start()).await.unwrap();
    assert_eq!(kinds().await, [IdentityKey::CustomerId("x".into())]);
    changed.id_properties.clear();
    site.store.put_connection(&changed, start()).await.unwrap();
    assert!(kinds().await.is_empty());
}

pub(crate) async fn links_of_enormous_ids_are_listed_page_by_page(database: &dyn Database) {
    let site = Site::new(database).await;
    let enormous = "x".repeat(65_535);
    // Beyond what an index and a token hold, only the last byte tells them apart.
    let mut ids: Vec<String> = (0..4).map(|end| format!("{enormous}{end}")).collect();
    ids.push("y".to_owned());
    for person in [1, 2] {
        let pairs: Vec<(&str, u128)> = ids.iter().map(|id| (id.as_str(), person)).collect();
        let at = hours(i64::try_from(person).unwrap());
        site.observe(&pairs, &ReadRange::Answered, at).await;
    }
    let expected: Vec<String> = ids.iter().flat_map(|id| [id.clone(), id.clone()]).collect();
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = site
            .store
            .links(site.id, true, after.as_ref(), 3)
            .await
            .unwrap();
        let Some((key, _)) = page.last() else {
            break;
        };
        assert!(key.0.len() < 1_000, "a key travels in a token");
        after = Some(key.clone());
        listed.extend(page.into_iter().map(|(_, link)| link.distinct_id));
    }
    assert_eq!(listed, expected);
    let asked = [IdentityKey::DistinctId(ids[2].clone())];
    let found = site.store.links_of(site.id, &asked, 9).await.unwrap();
    assert_eq!((found.len(), &found[0].distinct_id), (1, &ids[2]));
}

pub(crate) async fn persons_of_several_customers_are_listed_in_order(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let named = |uuid, id: &str, properties: &[(&str, &str)]| {
        carrying(event(uuid, "a", id, hours(1)), properties)
    };
    site.store(&[
        named(1, "d1", &[("customer_id", "7")]),
        named(2, "d2", &[("customer_id", "8")]),
        named(3, "d3", &[("customer_id", "7"), ("clientId", "x")]),
        named(4, "d4", &[("customer_id", "7")]),
        named(5, "d4", &[("customer_id", "8")]),
        named(6, "d5", &[("customer_id", "9")]),
    ])
    .await;
    let mapped = [("d1", 3), ("d2", 3), ("d3", 2), ("d4", 1), ("d5", 5)];
    site.observe(&mapped, &ReadRange::Answered, hours(1)).await;
    let listed = async |after: Option<Uuid>, limit| {
        let found = site
            .store
            .persons_of_several_customers(site.id, after, limit);
        found.await.unwrap()
    };
    assert_eq!(listed(None, 9).await, [person(1), person(3)]);
    assert_eq!(listed(None, 1).await, [person(1)]);
    assert_eq!(listed(Some(person(1)), 9).await, [person(3)]);
    // The one who moves takes the conflict along.
    site.observe(&[("d2", 5)], &ReadRange::Answered, hours(2))
        .await;
    assert_eq!(listed(None, 9).await, [person(1), person(5)]);
}

/// What happens to ids, in an order that must not matter: events by themselves, mappings as the latest
/// that PostHog tells.
pub(crate) async fn the_order_split_and_repetition_of_input_do_not_matter(database: &dyn Database) {
    let events: Vec<domain::Event> = (0..40_u128)
        .map(|number| {
            let id = format!("d{}", number % 11);
            let name = ["a", "$identify", "$create_alias"][usize::try_from(number % 3).unwrap()];
            let hour = i64::try_from(number * 7 % 60).unwrap();
            let customer = format!("c{}", number * number % 9);
            let mut row = carrying(
                event(number, name, &id, hours(hour)),
                &[("customer_id", &customer)],
            );
            row.anon_distinct_id = Some(format!("d{}", number * 5 % 13));
            row.alias = Some(format!("d{}", number * 3 % 7));
            row
        })
        .collect();
    let ids: Vec<String> = (0..13).map(|number| format!("d{number}")).collect();
    let pairs: Vec<(&str, u128)> = ids
        .iter()
        .map(String::as_str)
        .zip([1, 2, 3, 1, 4, 5, 2, 6, 7, 1, 8, 9, 9])
        .collect();
    let mut keys: Vec<IdentityKey> = ids.iter().cloned().map(IdentityKey::DistinctId).collect();
    keys.extend((1..10).map(|number| IdentityKey::Person(person(number))));
    keys.extend((0..9).map(|number| IdentityKey::CustomerId(format!("c{number}"))));
    let mut first = None;
    for (round, (chunk, turn)) in [(40, 1), (7, 3), (1, 7), (11, 23)].into_iter().enumerate() {
        let mut site = Site::named(database.open().await, &format!("shop-{round}")).await;
        // Coprime to 40, so each turn is another order of the same events; the last sends all twice.
        let order = (0..40 + 40 * (round / 3)).map(|nth| events[nth * turn % 40].clone());
        for page in order.collect::<Vec<_>>().chunks(chunk) {
            site.store(page).await;
            let some = &pairs[..page.len() % pairs.len()];
            site.observe(some, &ReadRange::Answered, hours(1)).await;
        }
        site.observe(&pairs, &ReadRange::Answered, hours(1)).await;
        let found = (
            all_links(&*site.store, site.id, false).await,
            resolve(&*site.store, site.id, &keys).await.unwrap(),
        );
        assert!(found.1.iter().any(|answer| !answer.merges.is_empty()));
        assert_eq!(*first.get_or_insert(found.clone()), found);
    }
}
