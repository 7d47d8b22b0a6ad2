//! How fast a run reads, and how much of its plan is left.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::storage::{OpenRun, PendingSlice};
use tokio::time::Instant;

use crate::progress::Reading;

/// Counts rows against a plan.
pub(crate) struct Pace {
    began: Instant,
    before: u64,
    read: u64,
    left: u64,
    /// Rows stored of each slice that is not done.
    in_slices: BTreeMap<i64, u64>,
}

impl Pace {
    /// The pace of a run that begins, or goes on.
    pub(crate) fn new(open: &OpenRun) -> Self {
        Self {
            began: Instant::now(),
            before: open.totals.events_read,
            read: 0,
            left: open
                .pending
                .iter()
                .map(|slice| slice.slice.expected_rows)
                .sum(),
            in_slices: BTreeMap::new(),
        }
    }

    /// Takes note of one stored page of a slice.
    pub(crate) fn advance(&mut self, slice: &PendingSlice, rows: u64, done: bool) -> Reading {
        self.read += rows;
        if done {
            // What a slice really held replaces what was expected of it.
            self.left = self.left.saturating_sub(slice.slice.expected_rows);
            self.in_slices.remove(&slice.number);
        } else {
            *self.in_slices.entry(slice.number).or_default() += rows;
        }
        self.reading()
    }

    /// Takes note that a slice was replaced by smaller ones.
    pub(crate) fn split(&mut self, number: i64) {
        let stored = self.in_slices.remove(&number).unwrap_or(0);
        self.left = self.left.saturating_sub(stored);
    }

    fn reading(&self) -> Reading {
        let events = self.before + self.read;
        let left = self.left.saturating_sub(self.in_slices.values().sum());
        let expected = events + left;
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 {
            lossy(self.read) / seconds
        } else {
            0.0
        };
        let share = if expected == 0 {
            1.0
        } else {
            lossy(events) / lossy(expected)
        };
        Reading {
            events,
            expected,
            share,
            rate,
            left: (rate > 0.0)
                .then(|| Duration::try_from_secs_f64(lossy(left) / rate).ok())
                .flatten(),
        }
    }
}

fn lossy(rows: u64) -> f64 {
    rows as f64
}
