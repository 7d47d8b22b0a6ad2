//! The operator: makes what a `PostHogConnection` asks for come true in a cluster. It asks PostHog only
//! about keys and projects; Jobs in its own namespace do the pulling.

mod annotations;
mod apply;
mod build;
mod config;
mod connect;
mod context;
mod controller;
mod departed;
mod dereference;
mod disconnect;
mod error;
mod events;
mod first_looks;
mod first_sight;
mod identity;
mod instant;
mod jobs;
mod leader;
mod malformed;
mod measured;
mod metrics;
mod namespaces;
mod patch;
mod provisioned;
mod readiness;
mod reconcile;
mod requests;
mod retries;
mod schedule;
mod settings;
mod settle;
mod store_down;
mod update_status;
mod validate;
mod watched;

use std::sync::Arc;

use domain::storage::Store;
use tokio_util::sync::CancellationToken;

use self::leader::Election;

pub use self::annotations::{FIELD_MANAGER, FINALIZER, labels};
pub use self::config::{DatabaseSecret, Intervals, JobConfig, OperatorConfig};
pub use self::connect::connect;
pub use self::disconnect::release::{release_finalizers, stop_operator};
pub use self::error::Error;
pub use self::events::{Event, Events};
pub use self::leader::{LEASE, LeaseTiming};
pub use self::metrics::{CountRequests, Metrics};
pub use self::readiness::Readiness;

/// What an operator works with.
pub struct Parts {
    /// How it was installed.
    pub config: OperatorConfig,
    /// The cluster.
    pub client: kube::Client,
    /// Where connections and runs are kept.
    pub store: Arc<dyn Store>,
    /// The process's HTTP client for PostHog.
    pub http: posthog::Http,
    /// Decides what is due; the machine's but in tests.
    pub clock: Arc<dyn sync::Clock>,
    /// What it counts, registered by [`Metrics::register`].
    pub metrics: Metrics,
    /// Where it tells how far it is.
    pub readiness: Readiness,
}

/// Reconciles every connection of the cluster once this replica leads, until `cancel`; then lets
/// reconciliations under way end and another replica lead.
///
/// # Errors
/// [`Error::LeadershipLost`] when another replica may lead by now: the process ends, and starts anew as a
/// standby. Other [`Error`]s when the watches cannot be set up.
pub async fn run(parts: Parts, cancel: CancellationToken) -> Result<(), Error> {
    let election = Election::new(parts.client.clone(), &parts.config, parts.metrics.clone());
    let readiness = parts.readiness.clone();
    readiness.has_store();
    let work = |tenure| controller::run(parts, tenure);
    Box::pin(election.lead(&readiness, &cancel, work)).await
}
