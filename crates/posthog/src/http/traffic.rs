//! What a process has asked PostHog for, by how that ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::sync::RunTotals;

/// Sums over all requests of a process.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<BTreeMap<&'static str, RunTotals>>);

impl Traffic {
    /// Adds one request that ended so.
    pub(crate) fn add(&self, outcome: &'static str, bytes_received: u64, bytes_read: u64) {
        let mut sums = self.lock();
        let sum = sums.entry(outcome).or_default();
        sum.requests += 1;
        sum.bytes_received += bytes_received;
        sum.bytes_read += bytes_read;
    }

    /// The sums by outcome.
    pub(crate) fn by_outcome(&self) -> Vec<(&'static str, RunTotals)> {
        self.lock()
            .iter()
            .map(|(name, sum)| (*name, *sum))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, RunTotals>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
