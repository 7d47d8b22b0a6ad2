//! The time by which an operator decides in a test.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use sync::Clock;

/// The machine's clock, put forward by tests.
#[derive(Default)]
pub(crate) struct OffsetClock(AtomicI64);

impl OffsetClock {
    /// Puts it forward.
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}
