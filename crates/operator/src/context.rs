//! What every reconciliation works with.

use std::sync::Arc;

use crd::PostHogConnection;
use domain::storage::Store;
use kube::core::DeserializeGuard;
use kube::runtime::reflector;
use sync::Clock;
use tokio::sync::SetOnce;

use crate::config::OperatorConfig;
use crate::controller::Wake;
use crate::events::Events;
use crate::first_looks::FirstLooks;
use crate::jobs::{Jobs, RunJob};
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::provisioned::Provisioned;
use crate::requests::Requests;
use crate::retries::Retries;
use crate::schedule::{Creating, Slots};
use crate::update_status::StatusWrites;

/// A connection as the API server sent it, or why it cannot be read.
pub(crate) type Guarded = DeserializeGuard<PostHogConnection>;

/// What every reconciliation works with. Nothing important lives here alone: what must survive the
/// process is in status, in the store, or a Job.
pub(crate) struct Context {
    /// How the operator was installed.
    pub(crate) config: OperatorConfig,
    /// The cluster.
    pub(crate) client: kube::Client,
    /// Where connections and runs are kept.
    pub(crate) store: Arc<dyn Store>,
    /// The process's HTTP client for PostHog.
    pub(crate) http: posthog::Http,
    /// Decides what is due.
    pub(crate) clock: Arc<dyn Clock>,
    /// The connections as last seen.
    pub(crate) connections: reflector::Store<Guarded>,
    /// Set once `connections` holds all there are. Its own `wait_until_ready` wakes only the one who
    /// asked last (kube 5.0), and the controller asks as well.
    pub(crate) listed: SetOnce<()>,
    /// Namespaces as last seen: labels and deletion alone.
    pub(crate) namespaces: Arc<Namespaces>,
    /// The Jobs of the operator's own namespace.
    pub(crate) jobs: Arc<Jobs>,
    /// Who may run now.
    pub(crate) slots: Arc<Slots>,
    /// Jobs whose Secret is known to be there.
    pub(crate) provisioned: Provisioned,
    /// Connections that were refused for how the operator is installed.
    pub(crate) first_looks: FirstLooks,
    /// Refresh requests that have brought their check.
    pub(crate) requests: Requests,
    /// What was written to statuses lately.
    pub(crate) writes: StatusWrites,
    /// How long connections wait that could not be reconciled.
    pub(crate) retries: Retries,
    /// Has connections reconciled.
    pub(crate) wake: Wake,
    /// What is told on objects.
    pub(crate) events: Events,
    /// What is counted.
    pub(crate) metrics: Metrics,
}

impl Context {
    /// How many Jobs have a place, but for those of connections whose Job is being created.
    pub(crate) fn places_taken(&self, creating: &Creating) -> usize {
        let is_being_created = |job: &RunJob| {
            let name = &job.connection;
            creating
                .iter()
                .any(|key| key.split_once('/') == Some((&name.namespace, &name.name)))
        };
        self.jobs
            .count(|job| job.takes_place() && !is_being_created(job))
    }
}
