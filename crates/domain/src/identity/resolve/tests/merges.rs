//! Merges that PostHog was asked for.

use proptest::prelude::*;

use super::oracle::{all_keys, any_world};
use super::*;

fn outcomes(answer: &IdentityAnswer) -> Vec<(&str, MergeOutcome)> {
    let other = |merge: &AskedMerge| match &merge.link.to {
        IdentityKey::DistinctId(other) => other.clone(),
        _ => panic!("{merge:?} leads to no distinct id"),
    };
    assert!(
        answer
            .merges
            .iter()
            .all(|merge| other(merge) != merge.link.distinct_id)
    );
    answer
        .merges
        .iter()
        .map(|merge| (merge.link.distinct_id.as_str(), merge.outcome))
        .collect()
}

#[test]
fn a_merge_is_told_from_both_ends_with_what_became_of_it() {
    let links = [
        link("ada", person(1)),
        link("anon-1", person(1)),
        link("anon-2", person(2)),
        link("ada", id("anon-1")),
        link("ada", id("anon-2")),
        link("ada", id("anon-3")),
    ];
    let keys = [id("ada"), id("anon-1"), id("anon-2"), id("anon-3")];
    let answers = resolved(&links, &keys);
    let all = [
        ("ada", MergeOutcome::Accepted),
        ("ada", MergeOutcome::Refused),
        ("ada", MergeOutcome::Unknown),
    ];
    assert_eq!(outcomes(&answers[0]), all);
    assert_eq!(outcomes(&answers[1]), all, "both are one person's");
    assert_eq!(outcomes(&answers[2]), all[1..2]);
    assert_eq!(outcomes(&answers[3]), all[2..]);
    assert_eq!(
        (people(&answers[0]), people(&answers[2])),
        (vec![1], vec![2])
    );
    let unmapped = &answers[3];
    assert_eq!(unmapped.status, IdentityStatus::Resolved);
    assert!(unmapped.persons.is_empty() && unmapped.evidence.is_empty());
}

#[test]
fn more_merges_than_a_human_being_asks_for_are_cut_off_visibly() {
    let links: Vec<IdentityLink> = (0..=MOST_IDS)
        .map(|number| link("bot", id(&format!("anon-{number}"))))
        .collect();
    let answers = resolved(&links, &[id("bot"), id("anon-0")]);
    assert!(answers[0].truncated);
    assert_eq!(answers[0].merges.len(), MOST_IDS);
    assert_eq!(answers[1].merges.len(), 1);
}

fn any_merges() -> impl Strategy<Value = Vec<IdentityLink>> {
    let merge = (0_u8..12, 0_u8..14).prop_filter("two ids", |(a, b)| a != b);
    prop::collection::vec(merge, 0..10).prop_map(|merges| {
        merges
            .into_iter()
            .map(|(a, b)| link(&format!("d{a}"), id(&format!("d{b}"))))
            .collect()
    })
}

proptest! {
    #[test]
    fn merges_that_were_asked_for_join_nothing(world in any_world(2), merges in any_merges()) {
        let keys = all_keys(&world);
        let without = resolved(&world, &keys);
        let mut all = world.clone();
        all.extend(merges.clone());
        for (without, with) in without.into_iter().zip(resolved(&all, &keys)) {
            for merge in &with.merges {
                prop_assert!(merges.contains(&merge.link));
                let person_of = |id: &str| {
                    let mut persons = world.iter().filter(|link| link.distinct_id == id);
                    persons.find(|link| matches!(link.to, IdentityKey::Person(_))).map(|link| link.to.clone())
                };
                let IdentityKey::DistinctId(other) = &merge.link.to else { panic!() };
                let expected = match (person_of(&merge.link.distinct_id), person_of(other)) {
                    (Some(ours), Some(theirs)) if ours == theirs => MergeOutcome::Accepted,
                    (Some(_), Some(_)) => MergeOutcome::Refused,
                    _ => MergeOutcome::Unknown,
                };
                prop_assert_eq!(merge.outcome, expected);
            }
            let told = |link: &&IdentityLink| {
                let ends = [&link.distinct_id, match &link.to { IdentityKey::DistinctId(id) => id, _ => panic!() }];
                ends.into_iter().any(|end| with.distinct_ids.contains(end))
            };
            let expected: BTreeSet<&IdentityLink> = merges.iter().filter(told).collect();
            prop_assert!(with.merges.iter().map(|merge| &merge.link).eq(expected));
            let merges = Vec::new();
            prop_assert_eq!(IdentityAnswer { merges, ..with }, without);
        }
    }
}
