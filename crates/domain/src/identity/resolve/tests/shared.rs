//! Ids that too many customers are seen with.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::oracle::{all_keys, any_world};
use super::*;

/// A till: its own person, and more customers than anybody has.
fn till() -> Vec<IdentityLink> {
    let customers = 0..=MOST_CUSTOMERS;
    let mut links: Vec<IdentityLink> = customers
        .map(|number| link("till", customer(&format!("c{number}"))))
        .collect();
    links.push(link("till", person(1)));
    links
}

#[test]
fn an_id_seen_with_too_many_customers_joins_none_of_them() {
    let mut links = till();
    links.push(link("phone", person(2)));
    links.push(link("phone", customer("c0")));
    let keys = [
        id("till"),
        person(1),
        customer("c0"),
        customer("c1"),
        id("phone"),
    ];
    let answers = resolved(&links, &keys);
    for answer in &answers[..2] {
        assert_eq!(answer.status, IdentityStatus::Shared);
        assert_eq!(people(answer), [1]);
        assert_eq!(answer.shared_distinct_ids, ["till"]);
        assert!(answer.customer_ids.is_empty() && answer.primary_customer_id.is_none());
    }
    for answer in [&answers[2], &answers[4]] {
        assert_eq!(answer.status, IdentityStatus::Resolved);
        assert_eq!(answer.primary_customer_id.as_deref(), Some("c0"));
        assert_eq!(
            (people(answer), &answer.distinct_ids[..]),
            (vec![2], &["phone".to_owned()][..])
        );
    }
    let only_by_the_till = &answers[3];
    assert_eq!(only_by_the_till.status, IdentityStatus::Shared);
    assert!(only_by_the_till.persons.is_empty() && only_by_the_till.distinct_ids.is_empty());
    assert_eq!(only_by_the_till.shared_distinct_ids, ["till"]);
}

#[test]
fn as_many_customers_as_allowed_are_a_conflict() {
    let links: Vec<IdentityLink> = till().into_iter().skip(1).collect();
    let [answer] = &resolved(&links, &[id("till")])[..] else {
        panic!("one key was asked for")
    };
    assert_eq!(answer.status, IdentityStatus::Conflict);
    assert_eq!(answer.customer_ids.len(), MOST_CUSTOMERS);
}

#[test]
fn an_anonymous_id_or_email_seen_with_too_many_customers_is_shared() {
    let mut links = Vec::new();
    for number in 0..=MOST_CUSTOMERS {
        let own = format!("d{number}");
        links.push(link(&own, customer(&format!("c{number}"))));
        links.push(link(&own, IdentityKey::AnonymousId("kiosk".into())));
        links.push(link(&own, email("info@shop.example")));
    }
    let keys = [
        IdentityKey::AnonymousId("kiosk".into()),
        email("info@shop.example"),
        id("d0"),
    ];
    let answers = resolved(&links, &keys);
    for answer in &answers[..2] {
        assert_eq!(answer.status, IdentityStatus::Shared);
        assert_eq!(answer.primary_customer_id, None);
    }
    assert_eq!(answers[2].status, IdentityStatus::Resolved);
    assert_eq!(answers[2].primary_customer_id.as_deref(), Some("c0"));
}

/// Links from the ids that too many customers are seen with.
fn is_shared(links: &[IdentityLink]) -> impl Fn(&str) -> bool {
    let mut customers: BTreeMap<String, BTreeSet<IdentityKey>> = BTreeMap::new();
    for link in links {
        if matches!(link.to, IdentityKey::CustomerId(_)) {
            customers
                .entry(link.distinct_id.clone())
                .or_default()
                .insert(link.to.clone());
        }
    }
    move |id| {
        customers
            .get(id)
            .is_some_and(|carried| carried.len() > MOST_CUSTOMERS)
    }
}

proptest! {
    #[test]
    fn a_shared_id_is_as_if_it_carried_no_customer(world in any_world(9)) {
        let is_shared = is_shared(&world);
        let demoted: Vec<IdentityLink> = world
            .iter()
            .filter(|link| !(matches!(link.to, IdentityKey::CustomerId(_)) && is_shared(&link.distinct_id)))
            .cloned()
            .collect();
        let keys = all_keys(&world);
        for (naive, answer) in resolved(&demoted, &keys).into_iter().zip(resolved(&world, &keys)) {
            prop_assert!(answer.shared_distinct_ids.iter().all(|id| is_shared(id)));
            prop_assert_eq!(&answer.customer_ids, &naive.customer_ids);
            if let IdentityKey::DistinctId(id) = &answer.key {
                prop_assert!(!is_shared(id) || answer.status == IdentityStatus::Shared);
            }
            if answer.status == IdentityStatus::Shared {
                prop_assert_eq!(&answer.primary_customer_id, &None);
                prop_assert!(answer.persons.iter().all(|person| naive.persons.contains(person)));
            } else {
                let shared_distinct_ids = Vec::new();
                prop_assert_eq!(IdentityAnswer { shared_distinct_ids, ..answer }, naive);
            }
        }
    }

    #[test]
    fn the_order_and_repetition_of_links_do_not_matter(
        (world, shuffled) in any_world(7).prop_flat_map(|world| {
            let twice = [world.clone(), world.clone()].concat();
            (Just(world), Just(twice).prop_shuffle())
        })
    ) {
        let keys = all_keys(&world);
        prop_assert_eq!(resolved(&shuffled, &keys), resolved(&world, &keys));
    }
}
