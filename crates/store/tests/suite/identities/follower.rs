//! A follower of persons' ids.

use std::collections::BTreeMap;

use domain::ConnectionId;
use domain::identity::IdentityKey;
use domain::storage::{PersonChange, Store};
use uuid::Uuid;

/// Somebody who knows only what changes of persons told.
#[derive(Default)]
pub(super) struct PersonFollower {
    pub(super) seq: i64,
    persons: BTreeMap<String, Uuid>,
}

impl PersonFollower {
    pub(super) async fn catch_up(&mut self, store: &dyn Store, id: ConnectionId) {
        loop {
            let changes = store.person_changes(id, self.seq, 2).await.unwrap();
            if changes.is_empty() {
                return;
            }
            for PersonChange { seq, link } in changes {
                assert!(seq > self.seq, "changes must ascend");
                self.seq = seq;
                let IdentityKey::Person(person) = link.to else {
                    panic!("{link:?} leads to no person");
                };
                if link.valid_to.is_none() {
                    self.persons.insert(link.distinct_id, person);
                } else if self.persons.get(&link.distinct_id) == Some(&person) {
                    self.persons.remove(&link.distinct_id);
                }
            }
        }
    }

    pub(super) fn known(&self) -> Vec<(String, Uuid)> {
        self.persons.clone().into_iter().collect()
    }
}
