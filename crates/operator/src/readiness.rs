//! Whether this replica does its part, for `/readyz`: a standby does when it knows who leads, a leader when it
//! has seen everything by which it decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How far a replica is. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

const OPENING_STORE: u8 = 0;
const STARTING: u8 = 1;
const STANDING_BY: u8 = 2;
const LISTING: u8 = 3;
const LEADING: u8 = 4;

impl Readiness {
    /// Why the replica is not ready; nothing when it is.
    pub fn missing(&self) -> Option<&'static str> {
        match self.0.load(Ordering::Relaxed) {
            OPENING_STORE => Some("the store has not answered yet"),
            STARTING => Some("the API server has not answered yet"),
            LISTING => Some("connections, Jobs and Namespaces are still being listed"),
            _ => None,
        }
    }

    /// The store is open; the API server comes next.
    pub(crate) fn has_store(&self) {
        self.0.store(STARTING, Ordering::Relaxed);
    }

    /// Another replica leads.
    pub(crate) fn stands_by(&self) {
        self.0.store(STANDING_BY, Ordering::Relaxed);
    }

    /// This replica leads, and has yet to list everything.
    pub(crate) fn leads(&self) {
        self.0.store(LISTING, Ordering::Relaxed);
    }

    /// This replica leads and has listed everything.
    pub(crate) fn has_listed(&self) {
        self.0.store(LEADING, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_ready_when_it_stands_by_or_has_listed_everything() {
        let readiness = Readiness::default();
        assert!(readiness.missing().unwrap().contains("store"));
        readiness.has_store();
        assert!(readiness.missing().unwrap().contains("API server"));
        readiness.stands_by();
        assert_eq!(readiness.missing(), None);
        readiness.leads();
        assert!(readiness.missing().unwrap().contains("listed"));
        readiness.clone().has_listed();
        assert_eq!(readiness.missing(), None);
    }
}
