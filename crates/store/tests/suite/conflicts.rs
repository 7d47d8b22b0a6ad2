//! Persons of several customers against a look at every link: whatever comes, moves, goes or is cut off,
//! in whatever order, and whichever properties name customers.

use std::collections::{BTreeMap, BTreeSet};

use domain::connection::ConnectionName;
use domain::erasure::erase;
use domain::identity::{IdProperty, IdPropertyKind, IdentityKey};
use domain::storage::{PersonMapping, ReadRange};
use proptest::prelude::*;
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, any_history, carrying, cut_off, desired, event, hours};
use super::oracle::all_links;

/// (its uuid, whose it is, the property that it carries, with what value).
type Said = (u128, usize, usize, u8);

#[derive(Debug, Clone)]
enum Step {
    /// A page; or the process dies while it is stored, after so many steps.
    Page(Vec<Said>, Option<usize>),
    /// Whose the ids are now; or the process dies while that is stored.
    Observe(Vec<(usize, u128)>, Option<usize>),
    Remove(Vec<u128>),
    /// Which properties name customers.
    Properties(usize),
    Look,
    ReadWhole,
    Erase(usize),
}

const IDS: [&str; 6] = ["d0", "d1", "d2", "d3", "d4", "d5"];
const PROPERTIES: [&str; 2] = ["customer_id", "clientId"];

fn person(number: u128) -> Uuid {
    Uuid::from_u128(0x1000 + number)
}

fn any_step() -> impl Strategy<Value = Step> {
    let dies = || prop::option::weighted(0.2, 0_usize..60);
    let said = (0_u128..20, 0..IDS.len(), 0..PROPERTIES.len(), 7_u8..9);
    let mapped = (0..IDS.len(), 0_u128..4);
    prop_oneof![
        6 => (prop::collection::vec(said, 1..5), dies()).prop_map(|(page, dies)| Step::Page(page, dies)),
        5 => (prop::collection::vec(mapped, 1..5), dies())
            .prop_map(|(mapped, dies)| Step::Observe(mapped, dies)),
        2 => prop::collection::vec(0_u128..20, 1..6).prop_map(Step::Remove),
        2 => (0_usize..4).prop_map(Step::Properties),
        2 => Just(Step::Look),
        1 => Just(Step::ReadWhole),
        1 => (0..IDS.len()).prop_map(Step::Erase),
    ]
}

fn mappings(pairs: impl IntoIterator<Item = (String, u128)>) -> Vec<PersonMapping> {
    pairs
        .into_iter()
        .map(|(distinct_id, number)| PersonMapping {
            distinct_id,
            person_id: person(number),
        })
        .collect()
}

/// Both properties, of which those whose bit is set name customers.
fn properties(customers: usize) -> Vec<IdProperty> {
    (0..)
        .zip(PROPERTIES)
        .map(|(bit, property)| IdProperty {
            kind: if customers >> bit & 1 == 1 {
                IdPropertyKind::Customer
            } else {
                IdPropertyKind::Anonymous
            },
            property: property.to_owned(),
        })
        .collect()
}

/// The persons that are found by looking at every link.
async fn looked_up(site: &Site) -> Vec<Uuid> {
    let links = all_links(&*site.store, site.id, false).await;
    let mut customers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for link in &links {
        if let IdentityKey::CustomerId(customer) = &link.to {
            customers
                .entry(&link.distinct_id)
                .or_default()
                .insert(customer);
        }
    }
    let mut of_persons: BTreeMap<Uuid, BTreeSet<&str>> = BTreeMap::new();
    for link in &links {
        if let (IdentityKey::Person(person), Some(customers)) =
            (&link.to, customers.get(link.distinct_id.as_str()))
        {
            of_persons.entry(*person).or_default().extend(customers);
        }
    }
    let several = of_persons.into_iter().filter(|(_, all)| all.len() > 1);
    several.map(|(person, _)| person).collect()
}

/// The persons that are listed, in pages of `size`.
async fn listed(site: &Site, size: usize) -> Vec<Uuid> {
    let mut listed: Vec<Uuid> = Vec::new();
    loop {
        let after = listed.last().copied();
        let page = site
            .store
            .persons_of_several_customers(site.id, after, size);
        let page = page.await.unwrap();
        if page.is_empty() {
            return listed;
        }
        listed.extend(page);
    }
}

async fn play(database: &dyn Database, name: &str, steps: &[Step]) {
    let mut site = Site::named(database.open().await, name).await;
    let connection = ConnectionName::new("acme", name);
    let mut wanted = desired("acme", name, 7);
    for (hour, step) in (1..).zip(steps) {
        match step {
            Step::Page(said, dies_after) => {
                let events = said.iter().map(|(uuid, who, property, value)| {
                    let value = value.to_string();
                    let carried = [(PROPERTIES[*property], value.as_str())];
                    carrying(event(*uuid, "a", IDS[*who], hours(hour)), &carried)
                });
                let page = site.page(&events.collect::<Vec<_>>()).await;
                let store = site.store.clone();
                let stored = store.apply_page(&site.lease, page);
                match dies_after {
                    Some(polls) => cut_off(stored, *polls).await,
                    None => {
                        stored.await.unwrap();
                    }
                }
            }
            Step::Observe(pairs, dies_after) => {
                let pairs: BTreeMap<usize, u128> = pairs.iter().copied().collect();
                let pairs = pairs.into_iter().map(|(id, who)| (IDS[id].to_owned(), who));
                let (mapped, range) = (mappings(pairs), ReadRange::Answered);
                let store = site.store.clone();
                let stored = store.observe_persons(&site.lease, &mapped, &range, hours(hour));
                match dies_after {
                    Some(polls) => cut_off(stored, *polls).await,
                    None => {
                        stored.await.unwrap();
                    }
                }
            }
            Step::Remove(uuids) => {
                let uuids: Vec<Uuid> = uuids.iter().copied().map(Uuid::from_u128).collect();
                site.store.remove_events(&site.lease, &uuids).await.unwrap();
            }
            Step::Properties(customers) => {
                wanted.id_properties = properties(*customers);
                site.store
                    .put_connection(&wanted, hours(hour))
                    .await
                    .unwrap();
            }
            Step::Look => site.store.find_conflicts(&site.lease).await.unwrap(),
            Step::ReadWhole => {
                site.store
                    .persons_read(&site.lease, hours(hour))
                    .await
                    .unwrap();
            }
            Step::Erase(who) => {
                let key = IdentityKey::DistinctId(IDS[*who].to_owned());
                erase(&*site.store, &connection, &key, hours(hour))
                    .await
                    .unwrap();
            }
        }
        if let Step::Page(_, Some(_)) | Step::Observe(_, Some(_)) = step {
            site.store = database.open().await;
            // Waits for a transaction whose end nobody heard of.
            site.store
                .persons_read(&site.lease, hours(hour))
                .await
                .unwrap();
        }
        assert_eq!(listed(&site, 2).await, looked_up(&site).await, "{step:?}");
    }
}

pub(crate) async fn any_history_lists_the_persons_of_several_customers(database: &dyn Database) {
    any_history(
        prop::collection::vec(any_step(), 1..20),
        async |name, steps| {
            play(database, &name, &steps).await;
        },
    );
}

pub(crate) async fn a_read_of_many_links_lists_conflicts_before_and_after_they_are_looked_for(
    database: &dyn Database,
) {
    let mut site = Site::new(database).await;
    let ids = (0..6_000_u128).map(|number| (format!("d{number}"), number / 2));
    let carry = |uuid: u128, id: &str, value: &str| {
        carrying(event(uuid, "a", id, hours(1)), &[("customer_id", value)])
    };
    site.store(&[
        carry(1, "d10", "7"),
        carry(2, "d11", "8"),
        carry(3, "d20", "7"),
        carry(4, "d21", "7"),
    ])
    .await;
    let range = ReadRange::Answered;
    let mapped = mappings(ids);
    let observed = site
        .store
        .observe_persons(&site.lease, &mapped, &range, hours(2));
    assert_eq!(observed.await.unwrap(), 6_000);
    assert_eq!(listed(&site, 9).await, [person(5)]);
    // What comes meanwhile is not lost either.
    site.store(&[carry(5, "d21", "9")]).await;
    let both = [person(5), person(10)];
    assert_eq!(listed(&site, 9).await, both);
    site.store.find_conflicts(&site.lease).await.unwrap();
    assert_eq!(listed(&site, 9).await, both);
    site.store(&[carry(6, "d30", "1"), carry(7, "d31", "2")])
        .await;
    assert_eq!(listed(&site, 9).await, [person(5), person(10), person(15)]);
    assert_eq!(looked_up(&site).await.len(), 3);
}
