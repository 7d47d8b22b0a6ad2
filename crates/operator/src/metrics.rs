//! What the operator counts, for `/metrics`.

use prometheus_client::registry::Registry;

use crate::error::Error;

/// What the operator counts.
#[derive(Debug, Clone, Default)]
pub struct Metrics {}

impl Metrics {
    /// Registers everything that the operator counts.
    pub fn register(_registry: &mut Registry) -> Self {
        Self::default()
    }

    /// A reconciliation begins; what is returned measures it until it is dropped.
    pub(crate) fn reconciling(&self) -> Reconciling {
        Reconciling { _private: () }
    }

    /// A reconciliation failed.
    pub(crate) fn reconcile_failed(&self, _error: &Error) {}
}

/// A reconciliation under way.
#[derive(Debug)]
pub(crate) struct Reconciling {
    _private: (),
}
