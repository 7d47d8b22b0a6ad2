//! How identity facts move when the events that say them come and go.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::identity::IdentityFact;

/// A move of one identity fact. A fact is gone when no stored event says it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactDelta {
    /// The fact.
    pub fact: IdentityFact,
    /// To add to the number of stored events that say it; may be 0 when only times moved.
    pub delta: i64,
    /// The timestamps of the first and last event that now say it too, when there are any.
    pub said: Option<(Timestamp, Timestamp)>,
    /// The timestamps of the first and last event that no longer say it, when there are any.
    /// If the stored first or last time is among `[first, last]`, it must be looked up anew.
    pub unsaid: Option<(Timestamp, Timestamp)>,
}

/// How often each fact is said more or less, by the event's timestamp: a replaced row that says
/// the same at the same time cancels out.
#[derive(Default)]
pub(super) struct Facts(BTreeMap<IdentityFact, BTreeMap<Timestamp, i64>>);

impl Facts {
    pub(super) fn count(&mut self, fact: IdentityFact, at: Timestamp, sign: i64) {
        *self.0.entry(fact).or_default().entry(at).or_default() += sign;
    }

    pub(super) fn into_deltas(self) -> Vec<FactDelta> {
        self.0
            .into_iter()
            .filter_map(|(fact, times)| {
                let bounds = |sign: i64| {
                    let mut at = times
                        .iter()
                        .filter(|(_, count)| count.signum() == sign)
                        .map(|(at, _)| *at);
                    let first = at.next()?;
                    Some((first, at.next_back().unwrap_or(first)))
                };
                let (said, unsaid) = (bounds(1), bounds(-1));
                let delta = times.values().sum();
                (said.is_some() || unsaid.is_some()).then_some(FactDelta {
                    fact,
                    delta,
                    said,
                    unsaid,
                })
            })
            .collect()
    }
}
