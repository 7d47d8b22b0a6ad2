//! A graph held whole against one that is read bit by bit.

use proptest::prelude::*;

use super::oracle::{all_keys, any_world};
use super::*;
use crate::identity::IdentityGraph;
use crate::storage::LinkChange;

fn graph(links: &[IdentityLink]) -> IdentityGraph {
    let mut graph = IdentityGraph::default();
    for link in links {
        graph.apply(LinkChange::Upsert(link.clone()));
    }
    graph
}

proptest! {
    #[test]
    fn what_is_held_whole_answers_as_what_is_read(
        mut links in any_world(7),
        merges in prop::collection::vec((0_u8..14, 0_u8..14), 0..8),
    ) {
        links.extend(merges.iter().map(|(one, other)| link(&format!("d{one}"), id(&format!("d{other}")))));
        let links: Vec<IdentityLink> = links.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut keys = all_keys(&links);
        keys.extend([id("nobody"), customer(" c1 "), email(" E1@x.example")]);
        let held: Option<Vec<IdentityAnswer>> = graph(&links).resolve(&keys, None, IdentityAnswer::owned).into_iter().collect();
        prop_assert_eq!(held, Some(resolved(&links, &keys)));
    }
}

#[test]
fn what_a_thousand_links_for_each_key_do_not_lead_to_is_left_to_the_store() {
    // Each id of the person has as many merges as one id may.
    let mut links = Vec::new();
    for own in 0..100 {
        let own = format!("own{own}");
        links.push(link(&own, person(1)));
        links.extend((0..900).map(|other| link(&own, id(&format!("{own}-{other}")))));
    }
    links.push(link("phone", person(2)));
    let graph = graph(&links);
    let answered = |keys: &[IdentityKey]| -> Vec<bool> {
        let answers = graph.resolve(keys, None, IdentityAnswer::owned);
        answers.iter().map(Option::is_some).collect()
    };
    assert_eq!(answered(&[person(1)]), [false]);
    assert_eq!(answered(&[id("phone")]), [true]);
    // Between many keys there is room for one such, not for each.
    let mut keys = vec![id("phone"); 1_000];
    assert!(answered(&keys).iter().all(|is| *is));
    keys[0] = person(1);
    assert!(answered(&keys).iter().all(|is| *is));
    keys.fill(person(1));
    assert!(answered(&keys).iter().filter(|is| **is).count() < 10);
}

#[test]
fn an_id_that_too_many_links_touch_is_left_to_the_store() {
    let mut links: Vec<IdentityLink> = (0..1_001)
        .map(|number| link("till", customer(&number.to_string())))
        .collect();
    links.push(link("till", person(1)));
    links.push(link("phone", person(2)));
    let graph = graph(&links);
    let answers = graph.resolve(
        &[id("till"), person(1), customer("7"), id("phone")],
        None,
        IdentityAnswer::owned,
    );
    let answered: Vec<bool> = answers.iter().map(Option::is_some).collect();
    assert_eq!(answered, [false, false, false, true]);
}
