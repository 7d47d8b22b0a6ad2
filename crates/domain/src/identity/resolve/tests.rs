mod hubs;
mod memory;
mod merges;
mod oracle;
mod shared;

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use jiff::Timestamp;

use std::collections::BTreeSet;

use super::*;
use crate::identity::Evidence;
use crate::storage::{FactChanges, LinkKey, PersonChange};

/// All links in memory, and how often they were asked for.
#[derive(Default)]
struct Memory {
    links: Vec<IdentityLink>,
    /// What fills up every answer to all that it may hold.
    filler: Option<IdentityLink>,
    calls: AtomicUsize,
}

impl Memory {
    fn first<'a>(
        &'a self,
        found: impl Iterator<Item = &'a IdentityLink>,
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let filler = self.filler.iter().cycle();
        Ok(found.chain(filler).take(limit).cloned().collect())
    }
}

#[async_trait]
impl IdentityReader for Memory {
    async fn links_of(
        &self,
        _connection: ConnectionId,
        keys: &[IdentityKey],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        let keys: BTreeSet<&IdentityKey> = keys.iter().collect();
        let touches = |link: &&IdentityLink| {
            keys.contains(&link.to)
                || keys.contains(&IdentityKey::DistinctId(link.distinct_id.clone()))
        };
        self.first(self.links.iter().filter(touches), limit)
    }

    async fn links_carried(
        &self,
        _connection: ConnectionId,
        distinct_ids: &[String],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        let asked: BTreeSet<&String> = distinct_ids.iter().collect();
        let is_asked = |id: &String| asked.contains(id);
        let touches = |link: &&IdentityLink| match &link.to {
            IdentityKey::Person(_) => false,
            IdentityKey::DistinctId(other) => is_asked(&link.distinct_id) || is_asked(other),
            _ => is_asked(&link.distinct_id),
        };
        self.first(self.links.iter().filter(touches), limit)
    }

    async fn links(
        &self,
        _connection: ConnectionId,
        _history: bool,
        _after: Option<&LinkKey>,
        _limit: usize,
    ) -> Result<Vec<(LinkKey, IdentityLink)>> {
        panic!("resolving does not list links")
    }

    async fn persons_of_several_customers(
        &self,
        _connection: ConnectionId,
        _after: Option<Uuid>,
        _limit: usize,
    ) -> Result<Vec<Uuid>> {
        panic!("resolving lists no persons")
    }

    async fn person_changes(
        &self,
        _connection: ConnectionId,
        _seq: i64,
        _limit: usize,
    ) -> Result<Vec<PersonChange>> {
        panic!("resolving follows no changes")
    }

    async fn fact_changes(
        &self,
        _connection: ConnectionId,
        _seq: i64,
        _limit: usize,
    ) -> Result<FactChanges> {
        panic!("resolving follows no changes")
    }
}

fn resolved(links: &[IdentityLink], keys: &[IdentityKey]) -> Vec<IdentityAnswer> {
    let memory = Memory {
        links: links.to_vec(),
        ..Memory::default()
    };
    resolved_by(&memory, keys)
}

fn resolved_by(memory: &Memory, keys: &[IdentityKey]) -> Vec<IdentityAnswer> {
    let answers = {
        let mut asking = pin!(resolve(memory, ConnectionId(Uuid::nil()), keys));
        // The reader is always ready, so one poll is the whole run.
        match asking
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(answers) => answers.unwrap(),
            Poll::Pending => panic!("a reader in memory never waits"),
        }
    };
    assert!(memory.calls.load(Ordering::Relaxed) <= MOST_CALLS);
    answers
}

fn link(distinct_id: &str, to: IdentityKey) -> IdentityLink {
    let evidence = match &to {
        IdentityKey::Person(_) => Evidence::PersonMapping,
        IdentityKey::Email(_) => Evidence::DistinctIdForm,
        IdentityKey::DistinctId(_) => Evidence::Identify,
        _ => Evidence::EventProperty("customer_id".to_owned()),
    };
    IdentityLink {
        distinct_id: distinct_id.to_owned(),
        to,
        evidence,
        valid_from: Timestamp::UNIX_EPOCH,
        valid_to: None,
        last_seen: Timestamp::UNIX_EPOCH,
    }
}

fn person(number: u128) -> IdentityKey {
    IdentityKey::Person(Uuid::from_u128(number))
}

fn id(id: &str) -> IdentityKey {
    IdentityKey::DistinctId(id.to_owned())
}

fn customer(id: &str) -> IdentityKey {
    IdentityKey::CustomerId(id.to_owned())
}

fn email(address: &str) -> IdentityKey {
    IdentityKey::Email(address.to_owned())
}

fn people(answer: &IdentityAnswer) -> Vec<u128> {
    answer.persons.iter().map(Uuid::as_u128).collect()
}

#[test]
fn persons_that_share_a_customer_id_are_one_customer() {
    let links = [
        link("phone", person(1)),
        link("laptop", person(2)),
        link("tablet", person(2)),
        link("phone", customer("77")),
        link("tablet", customer("77")),
        link("laptop", IdentityKey::AnonymousId("anon".into())),
    ];
    let anonymous = IdentityKey::AnonymousId("anon".into());
    let keys = [
        id("phone"),
        id("laptop"),
        person(1),
        customer(" 77 "),
        anonymous,
    ];
    for answer in resolved(&links, &keys) {
        assert_eq!(answer.status, IdentityStatus::Resolved, "{:?}", answer.key);
        assert_eq!(answer.primary_customer_id.as_deref(), Some("77"));
        assert_eq!(people(&answer), [1, 2]);
        assert_eq!(answer.distinct_ids, ["laptop", "phone", "tablet"]);
        assert_eq!(answer.anonymous_ids, ["anon"]);
        assert!(!answer.truncated);
        assert!(answer.evidence.iter().all(|link| links.contains(link)));
    }
}

#[test]
fn a_person_with_two_customer_ids_answers_both_and_no_primary() {
    let links = [
        link("a", person(1)),
        link("b", person(1)),
        link("a", customer("7")),
        link("b", customer("8")),
        link("c", person(2)),
        link("c", customer("7")),
    ];
    let answers = resolved(&links, &[id("a"), customer("7"), id("c")]);
    for answer in &answers[..2] {
        assert_eq!(answer.status, IdentityStatus::Conflict);
        assert_eq!(answer.customer_ids, ["7", "8"]);
        assert_eq!(answer.primary_customer_id, None);
    }
    assert_eq!(people(&answers[0]), [1]);
    let other = &answers[2];
    assert_eq!(other.status, IdentityStatus::Resolved);
    assert_eq!(
        (other.primary_customer_id.as_deref(), &people(other)[..]),
        (Some("7"), &[1, 2][..])
    );
    assert_eq!(other.customer_ids, ["7"]);
}

#[test]
fn an_email_resolves_to_persons_but_joins_none() {
    let links = [
        link("Ada@x.example", person(1)),
        link("Ada@x.example", email("ada@x.example")),
        link("ada@x.example", person(2)),
        link("ada@x.example", email("ada@x.example")),
        link("ada@x.example", customer("7")),
    ];
    let answers = resolved(&links, &[email(" ADA@x.example"), id("Ada@x.example")]);
    assert_eq!(people(&answers[0]), [1, 2]);
    assert_eq!(answers[0].customer_ids, ["7"]);
    assert_eq!(answers[0].primary_customer_id, None);
    assert_eq!(answers[0].key, email(" ADA@x.example"));
    assert_eq!(
        (people(&answers[1]), &answers[1].customer_ids[..]),
        (vec![1], &[][..])
    );
}

#[test]
fn an_id_that_nothing_is_known_of_is_unknown() {
    let answers = resolved(
        &[link("a", person(1))],
        &[id("zz"), customer("a"), person(9)],
    );
    for answer in answers {
        assert_eq!(answer.status, IdentityStatus::Unknown);
        assert!(answer.persons.is_empty() && answer.distinct_ids.is_empty());
        assert!(answer.evidence.is_empty() && !answer.truncated);
    }
}

#[test]
fn an_id_without_a_person_still_finds_its_customer() {
    let links = [
        link("a", customer("7")),
        link("b", customer("7")),
        link("b", person(1)),
    ];
    let [answer] = &resolved(&links, &[id("a")])[..] else {
        panic!("one key was asked for")
    };
    assert_eq!(answer.primary_customer_id.as_deref(), Some("7"));
    assert_eq!(people(answer), [1]);
    assert_eq!(answer.distinct_ids, ["a", "b"]);
}

#[test]
fn links_that_have_ended_join_nothing() {
    let ended = IdentityLink {
        valid_to: Some(Timestamp::UNIX_EPOCH),
        ..link("a", person(1))
    };
    let [answer] = &resolved(&[ended, link("a", person(2))], &[id("a")])[..] else {
        panic!("one key was asked for")
    };
    assert_eq!(people(answer), [2]);
}

#[test]
fn a_thousand_keys_take_few_calls_and_a_hub_is_cut_off_visibly() {
    let mut links = Vec::new();
    for number in 0..1000 {
        let own = format!("d{number}");
        links.push(link(&own, person(number)));
        links.push(link(&own, customer(&format!("c{}", number / 2))));
    }
    for number in 0..=MOST_IDS {
        links.push(link(&format!("hub{number:05}"), customer("hub")));
    }
    let mut keys: Vec<IdentityKey> = (0..999).map(|number| id(&format!("d{number}"))).collect();
    keys.push(customer("hub"));
    let memory = Memory {
        links,
        ..Memory::default()
    };
    let answers = resolved_by(&memory, &keys);
    assert!(memory.calls.into_inner() <= 2 * MOST_ROUNDS);
    assert!(answers[..999].iter().all(|answer| !answer.truncated));
    assert_eq!(people(&answers[3]), [2, 3]);
    let hub = &answers[999];
    assert!(hub.truncated);
    assert_eq!(hub.distinct_ids.len(), MOST_IDS);
}
