//! Somebody who knows only what changes told: of events and of the links that they carry by
//! `change_seq`, of persons and cohorts by their own.

use std::collections::BTreeMap;

use domain::ConnectionId;
use domain::identity::{IdentityKey, LinkPlace};
use domain::storage::{ChangeKind, CohortMove, Store};

use super::carried::CarriedLinks;
use super::truth::Truth;

/// Changes asked for at once: too few to be lucky.
pub(super) const PAGE: usize = 7;

/// What it has been told.
#[derive(Default)]
pub(crate) struct Follower {
    seq: i64,
    person_seq: i64,
    /// Up to where links were told; it may be that they cannot be told on from there.
    links: Option<LinkPlace>,
    cohort_seq: i64,
    carried: CarriedLinks,
    known: Truth,
}

impl Follower {
    /// Takes in every change since the last time.
    pub(crate) async fn catch_up(&mut self, store: &dyn Store, id: ConnectionId) {
        self.follow_events(store, id).await;
        self.begin_links_anew_if_lost(store, id).await;
        self.carried.follow(store, id).await;
        self.follow_persons(store, id).await;
        self.follow_cohorts(store, id).await;
    }

    /// Holds all that it was told against the truth.
    pub(crate) fn assert_knows(&self, truth: &Truth, name: &str) {
        assert_eq!(&self.known, truth, "{name}");
        assert_eq!(self.carried.known(), &truth.carried(), "{name}");
    }

    async fn follow_events(&mut self, store: &dyn Store, id: ConnectionId) {
        loop {
            let changes = store.changes(id, self.seq, PAGE).await.unwrap();
            let is_last = changes.len() < PAGE;
            for change in changes {
                assert!(change.seq > self.seq, "changes must ascend");
                self.seq = change.seq;
                match change.kind {
                    ChangeKind::Upsert(mut row) => {
                        // Where ids lead is told by the changes of persons.
                        row.event.person_id = None;
                        self.known.rows.insert(row.event.uuid, *row)
                    }
                    ChangeKind::Delete { uuid } => self.known.rows.remove(&uuid),
                };
            }
            if is_last {
                return;
            }
        }
    }

    async fn begin_links_anew_if_lost(&mut self, store: &dyn Store, id: ConnectionId) {
        let epoch = store.epoch(id).await.unwrap().unwrap();
        if self
            .links
            .replace(LinkPlace::now(&epoch))
            .is_some_and(|it| it.is_lost(&epoch))
        {
            self.known.persons.clear();
            self.person_seq = 0;
            self.carried = CarriedLinks::default();
        }
    }

    async fn follow_persons(&mut self, store: &dyn Store, id: ConnectionId) {
        let persons: &mut BTreeMap<_, _> = &mut self.known.persons;
        loop {
            let changes = store.person_changes(id, self.person_seq, PAGE).await;
            let changes = changes.unwrap();
            let is_last = changes.len() < PAGE;
            for change in changes {
                assert!(change.seq > self.person_seq, "changes must ascend");
                self.person_seq = change.seq;
                let IdentityKey::Person(person) = change.link.to else {
                    panic!("{:?} leads to no person", change.link);
                };
                if change.link.valid_to.is_none() {
                    persons.insert(change.link.distinct_id, person);
                } else if persons.get(&change.link.distinct_id) == Some(&person) {
                    persons.remove(&change.link.distinct_id);
                }
            }
            if is_last {
                return;
            }
        }
    }

    async fn follow_cohorts(&mut self, store: &dyn Store, id: ConnectionId) {
        let cohorts = &mut self.known.cohorts;
        loop {
            let changes = store.cohort_changes(id, self.cohort_seq, PAGE).await;
            let changes = changes.unwrap();
            let is_last = changes.len() < PAGE;
            for change in changes {
                assert!(change.seq > self.cohort_seq, "changes must ascend");
                self.cohort_seq = change.seq;
                let person = change.person_id;
                match change.kind {
                    CohortMove::Entered(cohort) => {
                        assert!(cohorts.entry(cohort).or_default().insert(person));
                    }
                    CohortMove::Left(cohort) => {
                        assert!(cohorts.entry(cohort).or_default().remove(&person));
                    }
                    CohortMove::Erased => cohorts.values_mut().for_each(|members| {
                        members.remove(&person);
                    }),
                }
            }
            if is_last {
                cohorts.retain(|_, members| !members.is_empty());
                return;
            }
        }
    }
}
