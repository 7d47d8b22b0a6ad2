//! What the operator counts, for `/metrics`: by controller-runtime's and client-go's names where they have
//! one, so that existing dashboards work. No label names a connection: their number has no bound.

mod connections;
mod reconciles;
mod rest_client;
mod syncs;
mod workqueue;

use std::time::Duration;

use domain::ConnectionName;
use kube::runtime::reflector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use self::connections::Connections;
use self::reconciles::Reconciles;
pub(crate) use self::reconciles::Reconciling;
pub use self::rest_client::CountRequests;
use self::rest_client::RestClient;
pub(crate) use self::syncs::RunTotals;
use self::syncs::Syncs;
use self::workqueue::Workqueue;
use crate::context::Guarded;
use crate::leader::LEASE;

/// controller-runtime names a controller by its kind, in lower case.
const CONTROLLER_NAME: &str = "posthogconnection";

/// What the operator counts. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    reconciles: Reconciles,
    queue: Workqueue,
    rest_client: RestClient,
    syncs: Syncs,
    connections: Connections,
    leading: Family<Lease, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lease {
    name: &'static str,
}

impl Metrics {
    /// Registers everything that the operator counts. Every series with a known label is there from the
    /// start, so that an alert on its absence means something.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.reconciles.register(registry);
        metrics.queue.register(registry);
        metrics.rest_client.register(registry);
        metrics.syncs.register(registry);
        registry.register_collector(Box::new(metrics.connections.clone()));
        registry.register(
            "leader_election_master_status",
            "Whether this replica leads: 1 or 0",
            metrics.leading.clone(),
        );
        metrics.leading_gauge().set(0);
        metrics
    }

    /// Counts the requests that a client of the API server at `host` sends through the layer.
    pub fn layer(&self, host: String) -> CountRequests {
        self.rest_client.layer(host)
    }

    /// A reconciliation begins; what is returned measures it until it is dropped.
    pub(crate) fn begin_reconcile(&self, connection: ConnectionName) -> Reconciling {
        self.reconciles.begin(&self.queue, connection)
    }

    /// Something says that the connection is to be reconciled now.
    pub(crate) fn triggered(&self, connection: ConnectionName) {
        self.queue.triggered(connection);
    }

    /// The connection is to be reconciled again after so long, unless something else comes before.
    pub(crate) fn due_in(&self, connection: ConnectionName, pause: Duration) {
        self.queue.due_in(connection, pause);
    }

    /// What was to be reconciled is not there any more.
    pub(crate) fn gone(&self, connection: &ConnectionName) {
        self.queue.gone(connection);
    }

    /// So many reconciliations may run at once.
    pub(crate) fn may_reconcile(&self, at_once: u16) {
        self.reconciles.may_run(at_once);
    }

    /// PostHog was asked about a connection: `complete`, or the reason why it refused.
    pub(crate) fn checked(&self, outcome: &str) {
        self.syncs.checked(outcome);
    }

    /// A Job's run of this kind ended: `complete`, or the reason why it failed. Called once for each run.
    pub(crate) fn run_ended(&self, kind: &'static str, outcome: &str, totals: &RunTotals) {
        self.syncs.ended(kind, outcome, totals);
    }

    /// An Event was published, refused by the API server or given up.
    pub(crate) fn event(&self, outcome: &'static str) {
        self.syncs.event(outcome);
    }

    /// Counts what these connections' status says whenever somebody asks for metrics.
    pub(crate) fn watch(&self, connections: reflector::Store<Guarded>) {
        self.connections.watch(connections);
    }

    /// This replica leads until what is returned is dropped.
    pub(crate) fn leading(&self) -> Leading {
        let gauge = self.leading_gauge();
        gauge.set(1);
        Leading(gauge)
    }

    fn leading_gauge(&self) -> Gauge {
        self.leading.get_or_create(&Lease { name: LEASE }).clone()
    }
}

/// While it lives, this replica counts as the leader.
pub(crate) struct Leading(Gauge);

impl Drop for Leading {
    fn drop(&mut self) {
        self.0.set(0);
    }
}

#[cfg(test)]
mod tests;
