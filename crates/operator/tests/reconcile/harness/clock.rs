//! The time by which an operator decides in a test.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sync::Clock;

/// The machine's clock, put forward or stopped by tests.
#[derive(Default)]
pub(crate) struct OffsetClock(Mutex<Hands>);

#[derive(Default, Clone, Copy)]
struct Hands {
    ahead: SignedDuration,
    stopped_at: Option<Timestamp>,
}

impl OffsetClock {
    /// Puts it forward.
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.change(|hands| hands.ahead += by);
    }

    /// Stops it: what is to be tried again later is not, however long a busy machine takes.
    pub(crate) fn stop(&self) {
        let now = self.now();
        self.change(|hands| hands.stopped_at = Some(now));
    }

    /// Sets it right again.
    pub(crate) fn go_on(&self) {
        self.change(|hands| hands.stopped_at = None);
    }

    fn change(&self, change: impl FnOnce(&mut Hands)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        let hands = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = || Timestamp::now() + hands.ahead;
        hands.stopped_at.unwrap_or_else(runs)
    }
}
