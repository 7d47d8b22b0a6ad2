//! How long a connection waits after a reconciliation that failed: longer each time, so that what does
//! not pass by itself becomes no hot loop.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::ConnectionName;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row. Lost with the process, which then begins with the first wait again.
#[derive(Default)]
pub(crate) struct Retries(Mutex<HashMap<ConnectionName, u32>>);

impl Retries {
    /// One more failure: the wait until the next attempt.
    pub(crate) fn failed(&self, connection: ConnectionName) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(connection).or_default();
        let wait = FIRST
            .saturating_mul(2_u32.saturating_pow(*count))
            .min(LONGEST);
        *count = count.saturating_add(1);
        wait
    }

    /// It went well, or the connection is gone.
    pub(crate) fn forget(&self, connection: &ConnectionName) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_five_minutes_and_begin_anew_after_a_success() {
        let retries = Retries::default();
        let name = || ConnectionName::new("acme", "storefront");
        let waits: Vec<u64> = (0..12).map(|_| retries.failed(name()).as_secs()).collect();
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits[9..], [300, 300, 300]);
        retries.forget(&name());
        assert_eq!(retries.failed(name()).as_secs(), 1);
    }
}
