//! The links that events carry, as somebody knows them who was only told what changed.

use std::collections::BTreeMap;

use domain::ConnectionId;
use domain::identity::Evidence;
use domain::storage::{LinkChange, Store};
use jiff::Timestamp;

use super::follower::PAGE;
use super::truth::Link;

/// What was told of them. Who begins anew knows of none, and is told of each that is carried by the
/// events that carry it.
#[derive(Default)]
pub(super) struct CarriedLinks {
    seq: i64,
    known: BTreeMap<Link, (Timestamp, Timestamp)>,
}

impl CarriedLinks {
    /// Links with the first and the last event that carries each.
    pub(super) fn known(&self) -> &BTreeMap<Link, (Timestamp, Timestamp)> {
        &self.known
    }

    /// Takes in every change since the last time.
    pub(super) async fn follow(&mut self, store: &dyn Store, id: ConnectionId) {
        loop {
            let told = store.fact_changes(id, self.seq, PAGE).await.unwrap();
            let mut last = self.seq + 1;
            for change in told.changes {
                assert!(change.seq >= last, "changes must ascend");
                assert!(change.seq <= told.reached, "{change:?} is told too early");
                last = change.seq;
                self.apply(change.change);
            }
            assert!(told.reached > self.seq || told.is_last, "none is reached");
            assert!(told.reached >= self.seq, "what was reached stays so");
            self.seq = told.reached;
            if told.is_last {
                return;
            }
        }
    }

    /// What goes may never have been told, and what is told may be as it was.
    fn apply(&mut self, change: LinkChange) {
        match change {
            LinkChange::Upsert(link) => {
                assert_eq!(link.valid_to, None, "{link:?}");
                assert_ne!(link.evidence, Evidence::PersonMapping, "{link:?}");
                let times = (link.valid_from, link.last_seen);
                let link = (link.distinct_id, link.to, link.evidence);
                self.known.insert(link, times);
            }
            LinkChange::Gone(fact) => {
                let link = (fact.distinct_id, fact.to, fact.evidence);
                self.known.remove(&link);
            }
            LinkChange::Ended(link) => panic!("{link:?} is no person's, and cannot end"),
        }
    }
}
