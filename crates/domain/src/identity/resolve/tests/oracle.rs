//! Any small world, resolved naively.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Sets of persons and ids that one customer id or person holds together.
struct UnionFind(BTreeMap<IdentityKey, IdentityKey>);

impl UnionFind {
    fn root(&self, of: &IdentityKey) -> IdentityKey {
        match self.0.get(of) {
            Some(parent) if parent != of => self.root(parent),
            _ => of.clone(),
        }
    }

    fn join(&mut self, a: &IdentityKey, b: &IdentityKey) {
        let (a, b) = (self.root(a), self.root(b));
        self.0.insert(a, b);
    }
}

/// Each of twelve distinct ids: its person, if any, and the customer ids, e-mail and anonymous id it carries.
pub(super) fn any_world(customers: usize) -> impl Strategy<Value = Vec<IdentityLink>> {
    let one = (
        prop::option::weighted(0.8, 0_u128..5),
        prop::collection::btree_set(0_u8..9, 0..=customers),
        any::<bool>(),
        prop::option::weighted(0.3, 0_u8..6),
    );
    prop::collection::vec(one, 12).prop_map(|world| {
        let mut links = Vec::new();
        for (number, (owner, customers, is_email, anonymous)) in world.into_iter().enumerate() {
            let own = format!("d{number}");
            links.extend(owner.map(|owner| link(&own, person(owner))));
            links.extend(
                customers
                    .iter()
                    .map(|id| link(&own, customer(&format!("c{id}")))),
            );
            links
                .extend(is_email.then(|| link(&own, email(&format!("e{}@x.example", number % 3)))));
            links
                .extend(anonymous.map(|id| link(&own, IdentityKey::AnonymousId(format!("a{id}")))));
        }
        links
    })
}

/// The same, where no person and no id without one carries two customer ids.
fn any_world_without_conflicts() -> impl Strategy<Value = Vec<IdentityLink>> {
    let customers = prop::collection::vec(0_u8..5, 5);
    (any_world(1), customers).prop_map(|(mut links, customers)| {
        let owned = links.clone();
        for link in &mut links {
            if let (IdentityKey::CustomerId(of), IdentityKey::Person(owner)) =
                (&mut link.to, owner_of(&owned, &link.distinct_id))
            {
                let customer = customers[usize::try_from(owner.as_u128()).unwrap()];
                *of = format!("c{customer}");
            }
        }
        links
    })
}

pub(super) fn all_keys(links: &[IdentityLink]) -> Vec<IdentityKey> {
    let ends = links
        .iter()
        .flat_map(|link| [id(&link.distinct_id), link.to.clone()]);
    ends.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The customer ids of each person, and of each distinct id without one.
fn customers_of(links: &[IdentityLink], owner: &IdentityKey) -> BTreeSet<String> {
    let is_own = |of: &str| match owner {
        IdentityKey::DistinctId(own) => own == of,
        person => links
            .iter()
            .any(|link| link.distinct_id == of && link.to == *person),
    };
    let carried = links.iter().filter(|link| is_own(&link.distinct_id));
    carried
        .filter_map(|link| match &link.to {
            IdentityKey::CustomerId(id) => Some(id.clone()),
            _ => None,
        })
        .collect()
}

fn owner_of(links: &[IdentityLink], of: &str) -> IdentityKey {
    let persons = links.iter().filter(|link| link.distinct_id == of);
    persons
        .map(|link| link.to.clone())
        .find(|to| matches!(to, IdentityKey::Person(_)))
        .unwrap_or_else(|| id(of))
}

/// Whether a key leads to persons whom nothing but it brings together.
fn is_hint(key: &IdentityKey) -> bool {
    matches!(key, IdentityKey::Email(_) | IdentityKey::AnonymousId(_))
}

fn persons_and_ids(answer: &IdentityAnswer) -> BTreeSet<IdentityKey> {
    let persons = answer.persons.iter().copied().map(IdentityKey::Person);
    persons
        .chain(answer.distinct_ids.iter().map(|own| id(own)))
        .collect()
}

proptest! {
    #[test]
    fn customers_are_the_components_of_a_union_find(links in any_world_without_conflicts()) {
        let mut sets = UnionFind(BTreeMap::new());
        let keys = all_keys(&links);
        for link in &links {
            if !is_hint(&link.to) {
                sets.join(&id(&link.distinct_id), &link.to);
            }
        }
        for answer in resolved(&links, &keys) {
            if is_hint(&answer.key) {
                continue;
            }
            let root = sets.root(&answer.key);
            let expected: BTreeSet<IdentityKey> = keys
                .iter()
                .filter(|key| matches!(key, IdentityKey::Person(_) | IdentityKey::DistinctId(_)))
                .filter(|key| sets.root(key) == root)
                .cloned()
                .collect();
            prop_assert_eq!(persons_and_ids(&answer), expected, "{:?}", answer.key);
            prop_assert!(answer.status == IdentityStatus::Resolved && !answer.truncated);
            prop_assert_eq!(answer.primary_customer_id.as_slice(), &answer.customer_ids[..]);
        }
    }

    #[test]
    fn conflicts_are_told_and_never_spread(links in any_world(2)) {
        let keys = all_keys(&links);
        for answer in resolved(&links, &keys) {
            let own: BTreeSet<IdentityKey> = match &answer.key {
                IdentityKey::DistinctId(of) => [owner_of(&links, of)].into(),
                person @ IdentityKey::Person(_) => [person.clone()].into(),
                other => links
                    .iter()
                    .filter(|link| link.to == *other)
                    .map(|link| owner_of(&links, &link.distinct_id))
                    .collect(),
            };
            let each: Vec<BTreeSet<String>> =
                own.iter().map(|owner| customers_of(&links, owner)).collect();
            let all: BTreeSet<String> = each.iter().flatten().cloned().collect();
            prop_assert_eq!(&answer.customer_ids, &all.iter().cloned().collect::<Vec<_>>());
            let is_shared = is_hint(&answer.key) && all.len() > MOST_CUSTOMERS;
            let is_conflict = all.len() > 1 && !is_shared;
            prop_assert_eq!(answer.status == IdentityStatus::Conflict, is_conflict);
            prop_assert_eq!(answer.status == IdentityStatus::Shared, is_shared);
            let primary = (all.len() == 1 && each.iter().all(|ids| *ids == all))
                .then(|| all.first().unwrap().clone());
            prop_assert_eq!(&answer.primary_customer_id, &primary);
            let joins = !matches!(answer.key, IdentityKey::Email(_));
            let joined = primary.as_ref().filter(|_| joins);
            let mut expected = BTreeSet::new();
            for link in &links {
                let owner = owner_of(&links, &link.distinct_id);
                let theirs = customers_of(&links, &owner);
                let is_joined = joined.is_some_and(|primary| theirs.contains(primary));
                // Of one that has another customer too, only what carries this one.
                let carries = |id: &String| links.contains(&self::link(&link.distinct_id, customer(id)));
                let is_own = own.contains(&owner)
                    || (is_joined && (theirs.len() == 1 || joined.is_some_and(carries)));
                expected.extend(is_own.then(|| id(&link.distinct_id)));
                let is_person = matches!(owner, IdentityKey::Person(_));
                expected.extend((is_person && (own.contains(&owner) || is_joined)).then_some(owner));
            }
            prop_assert_eq!(persons_and_ids(&answer), expected, "{:?}", answer.key);
            for link in &answer.evidence {
                prop_assert!(links.contains(link));
                prop_assert!(answer.distinct_ids.contains(&link.distinct_id));
            }
        }
    }
}
