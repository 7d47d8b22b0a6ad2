//! Erasing whoever is known from events alone: PostHog gave them a person, and maps their distinct ids to
//! nobody, as of visitors without a profile.

use std::collections::BTreeMap;

use domain::Event;
use domain::connection::ConnectionName;
use domain::erasure::{Erased, Meant, erase, meant, preview};
use domain::identity::IdentityKey;
use domain::storage::{PersonMapping, ReadRange};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::prop_oneof;
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, any_history, beside, carrying, event, hours};
use super::oracle::{all_events, all_links};

fn shop() -> ConnectionName {
    ConnectionName::new("acme", "shop")
}

fn person(number: u128) -> Uuid {
    Uuid::from_u128(900 + number)
}

fn key(number: u128) -> IdentityKey {
    IdentityKey::Person(person(number))
}

fn distinct(id: &str) -> IdentityKey {
    IdentityKey::DistinctId(id.to_owned())
}

/// An event that PostHog gives this person.
fn of(uuid: u128, distinct_id: &str, number: u128) -> Event {
    Event {
        person_id: Some(person(number)),
        ..event(uuid, "$pageview", distinct_id, hours(1))
    }
}

/// One person has two distinct ids, another the third, and nobody the fourth.
fn events() -> Vec<Event> {
    vec![
        carrying(of(1, "anon-1", 1), &[("customer_id", "7")]),
        of(2, "anon-1", 1),
        of(3, "anon-2", 1),
        of(4, "anon-3", 2),
        event(5, "$pageview", "anon-4", hours(1)),
    ]
}

async fn filled(database: &dyn Database) -> Site {
    let mut site = Site::new(database).await;
    site.store(&events()).await;
    site
}

/// PostHog maps the distinct id to this person now, or to nobody.
async fn map(site: &Site, distinct_id: &str, number: Option<u128>) {
    let mapping = number.map(|number| PersonMapping {
        distinct_id: distinct_id.to_owned(),
        person_id: person(number),
    });
    let asked = ReadRange::Ids(vec![distinct_id.to_owned()]);
    site.store
        .observe_persons(&site.lease, mapping.as_slice(), &asked, hours(2))
        .await
        .unwrap();
}

/// The uuids that are left.
async fn left(site: &Site) -> Vec<u128> {
    let rows = all_events(&*site.store, site.id).await;
    let mut left: Vec<u128> = rows.iter().map(|row| row.event.uuid.as_u128()).collect();
    left.sort_unstable();
    left
}

pub(crate) async fn a_person_known_from_events_alone_is_erased_with_all_of_them(
    database: &dyn Database,
) {
    let mut site = filled(database).await;
    let store = site.store.clone();
    let bare = person(1).to_string();
    assert_eq!(
        meant(&*store, &shop(), &bare).await.unwrap(),
        Meant::One(key(1))
    );
    let all = Erased {
        persons: 1,
        distinct_ids: 2,
        events: 3,
        fact_links: 1,
        ..Erased::default()
    };
    assert_eq!(preview(&*store, &shop(), &key(1)).await.unwrap(), all);
    assert_eq!(left(&site).await, [1, 2, 3, 4, 5]);
    let erased = erase(&*store, &shop(), &key(1), hours(5)).await.unwrap();
    assert_eq!(erased, all);
    assert_eq!(left(&site).await, [4, 5]);
    assert!(all_links(&*store, site.id, true).await.is_empty());

    // The next page brings it again, and more of the ids, of which PostHog names no person then.
    let mut page = events();
    page.push(event(6, "$pageview", "anon-2", hours(3)));
    assert_eq!(site.store(&page).await.stored, 0);
    assert_eq!(left(&site).await, [4, 5]);
    assert_eq!(meant(&*store, &shop(), &bare).await.unwrap(), Meant::Nobody);
}

pub(crate) async fn an_id_that_another_person_has_by_now_is_not_erased_for_its_events(
    database: &dyn Database,
) {
    let site = filled(database).await;
    let store = &*site.store;
    map(&site, "anon-1", Some(2)).await;
    let erased = erase(store, &shop(), &key(1), hours(5)).await.unwrap();
    assert_eq!((erased.distinct_ids, erased.events), (1, 1));
    assert_eq!(left(&site).await, [1, 2, 4, 5]);
    // That person has it with the id that only its events tell of.
    let erased = erase(store, &shop(), &key(2), hours(5)).await.unwrap();
    assert_eq!((erased.distinct_ids, erased.events), (2, 3));
    assert_eq!(left(&site).await, [5]);
}

pub(crate) async fn an_id_without_a_link_is_erased_alone(database: &dyn Database) {
    let site = filled(database).await;
    let store = &*site.store;
    let one = distinct("anon-1");
    assert_eq!(
        meant(store, &shop(), "anon-1").await.unwrap(),
        Meant::One(one.clone())
    );
    let erased = erase(store, &shop(), &one, hours(5)).await.unwrap();
    assert_eq!((erased.persons, erased.distinct_ids), (0, 1));
    assert_eq!(left(&site).await, [3, 4, 5]);
}

pub(crate) async fn an_event_that_comes_in_beside_the_erasure_does_not_stay(
    database: &dyn Database,
) {
    for polls in 1..25 {
        let store = database.open().await;
        let name = ConnectionName::new("acme", format!("shop-{polls}"));
        let mut site = Site::named(store, &name.name).await;
        site.store(&events()).await;
        let page = site.page(&[of(6, "anon-5", 1)]).await;
        let other = database.open().await;
        let key = key(1);
        let comes_in = async {
            let applied = site.store.apply_page(&site.lease, page).await;
            applied.unwrap();
        };
        let erased = beside(erase(&*other, &name, &key, hours(5)), polls, comes_in).await;
        erased.unwrap();
        assert_eq!(left(&site).await, [4, 5], "{polls}");
    }
}

/// What happens to one of a few distinct ids.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// An event of it comes in, which PostHog gives this person or none.
    Event(Option<u128>),
    /// PostHog maps it to this person, or to nobody.
    Map(Option<u128>),
}

fn any_step() -> impl Strategy<Value = (usize, Step)> {
    let who = || prop_oneof![any::<bool>().prop_map(|_| None), (1_u128..4).prop_map(Some)];
    let step = prop_oneof![who().prop_map(Step::Event), who().prop_map(Step::Map)];
    (0_usize..5, step)
}

pub(crate) async fn after_any_history_nothing_is_listed_with_the_erased_person(
    database: &dyn Database,
) {
    let store = database.open().await;
    any_history(vec(any_step(), 0..16), async |name, steps| {
        let mut site = Site::named(store.clone(), &name).await;
        let ids = ["a", "b", "c", "d", "e"];
        let mut given: Vec<(&str, Option<u128>)> = Vec::new();
        let mut links: BTreeMap<&str, (u128, bool)> = BTreeMap::new();
        for (id, step) in steps {
            let id = ids[id];
            match step {
                Step::Event(number) => {
                    let uuid = given.len() as u128;
                    given.push((id, number));
                    let event = event(uuid, "$pageview", id, hours(1));
                    let person_id = number.map(person);
                    site.store(&[Event { person_id, ..event }]).await;
                }
                Step::Map(number) => {
                    map(&site, id, number).await;
                    let before = links.get(id).map_or(0, |link| link.0);
                    links.insert(id, (number.unwrap_or(before), number.is_some()));
                }
            }
        }
        // A link that was never there is none.
        links.retain(|_, link| link.0 > 0);
        let is_taken = |id: &str| {
            let is_held = links.get(id).is_some_and(|link| link.1);
            links.get(id).is_some_and(|link| link.0 == 1)
                || (!is_held && given.contains(&(id, Some(1))))
        };
        let name = ConnectionName::new("acme", &*name);
        let would = preview(&*store, &name, &key(1)).await.unwrap();
        let erased = erase(&*store, &name, &key(1), hours(5)).await.unwrap();
        assert_eq!(erased, would);
        let taken = ids.iter().filter(|id| is_taken(id)).count() as u64;
        assert_eq!(erased.distinct_ids, taken);
        let stay = (0_u128..).zip(&given).filter(|(_, (id, _))| !is_taken(id));
        let stay: Vec<u128> = stay.map(|(uuid, _)| uuid).collect();
        assert_eq!(left(&site).await, stay);
        for row in all_events(&*store, site.id).await {
            assert_ne!(row.event.person_id, Some(person(1)));
        }
    });
}
