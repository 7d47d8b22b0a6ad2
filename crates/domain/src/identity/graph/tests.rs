use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// Few ids and times, so that the same link comes again.
fn any_link() -> impl Strategy<Value = IdentityLink> {
    let to = prop_oneof![
        (0_u128..3).prop_map(|person| IdentityKey::Person(Uuid::from_u128(person))),
        (0_u8..3).prop_map(|id| IdentityKey::CustomerId(format!("{id}"))),
        (0_u8..3).prop_map(|id| IdentityKey::AnonymousId(format!("{id}"))),
        (0_u8..3).prop_map(|id| IdentityKey::Email(format!("{id}"))),
        (0_u8..4).prop_map(|id| IdentityKey::DistinctId(format!("{id}"))),
    ];
    let evidence = prop_oneof![
        Just(Evidence::PersonMapping),
        Just(Evidence::EventProperty("customer_id".to_owned())),
        Just(Evidence::Identify),
    ];
    (0_u8..4, to, evidence, 0_i64..9).prop_map(|(id, to, evidence, second)| IdentityLink {
        distinct_id: format!("{id}"),
        to,
        evidence,
        valid_from: Timestamp::from_second(second).unwrap(),
        valid_to: None,
        last_seen: Timestamp::from_second(second + 1).unwrap(),
    })
}

fn any_change() -> impl Strategy<Value = LinkChange> {
    (any_link(), 0_u8..5).prop_map(|(link, what)| match what {
        0 => LinkChange::Ended(IdentityLink {
            valid_to: Some(link.last_seen),
            ..link
        }),
        1 => LinkChange::Gone(name(&link)),
        _ => LinkChange::Upsert(link),
    })
}

fn name(link: &IdentityLink) -> IdentityFact {
    link.clone().into()
}

fn linked(graph: &IdentityGraph, edges: impl Iterator<Item = Edge>) -> Vec<IdentityLink> {
    let mut links: Vec<IdentityLink> = edges.map(|edge| graph.link(edge).into_owned()).collect();
    links.sort();
    links
}

proptest! {
    #[test]
    fn a_graph_holds_the_links_that_a_map_of_them_holds(
        changes in prop::collection::vec(any_change(), 0..80)
    ) {
        let mut graph = IdentityGraph::default();
        let mut map: BTreeMap<IdentityFact, IdentityLink> = BTreeMap::new();
        for change in changes {
            match change.clone() {
                LinkChange::Upsert(link) => map.insert(name(&link), link),
                LinkChange::Ended(link) => map.remove(&name(&link)),
                LinkChange::Gone(fact) => map.remove(&fact),
            };
            graph.apply(change);
            let mut links: Vec<IdentityLink> = map.values().cloned().collect();
            links.sort();
            let keys: BTreeSet<IdentityKey> = links
                .iter()
                .flat_map(|link| [IdentityKey::DistinctId(link.distinct_id.clone()), link.to.clone()])
                .collect();
            for key in &keys {
                let node = graph.find(key.borrowed()).unwrap();
                prop_assert_eq!(graph.key(node), key.borrowed());
                let from = |link: &&IdentityLink| *key == IdentityKey::DistinctId(link.distinct_id.clone());
                let expected: Vec<_> = links.iter().filter(from).cloned().collect();
                prop_assert_eq!(linked(&graph, graph.links_from(node)), expected);
                let to = |link: &&IdentityLink| link.to == *key;
                let expected: Vec<_> = links.iter().filter(to).cloned().collect();
                prop_assert_eq!(linked(&graph, graph.links_to(node)), expected);
            }
            // Whoever no link touches is forgotten, text and all.
            let texts = keys.iter().filter(|key| !matches!(key, IdentityKey::Person(_)));
            prop_assert_eq!(graph.ids.counted(), (keys.len(), texts.count()));
        }
    }
}

#[test]
fn a_link_of_an_id_with_a_hundred_thousand_of_them_is_found_at_once() {
    let mut graph = IdentityGraph::default();
    let till = |customer: usize| IdentityLink {
        distinct_id: "till".to_owned(),
        to: IdentityKey::CustomerId(customer.to_string()),
        evidence: Evidence::EventProperty("customer_id".to_owned()),
        valid_from: Timestamp::UNIX_EPOCH,
        valid_to: None,
        last_seen: Timestamp::UNIX_EPOCH,
    };
    // Of the naive search this would be five thousand million steps each.
    for _ in 0..2 {
        for customer in 0..100_000 {
            graph.apply(LinkChange::Upsert(till(customer)));
        }
    }
    for customer in 0..100_000 {
        graph.apply(LinkChange::Gone(name(&till(customer))));
    }
    assert_eq!(graph.ids.counted(), (0, 0));
}
