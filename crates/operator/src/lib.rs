//! The operator: makes what a `PostHogConnection` asks for come true in a cluster. It asks PostHog only
//! about keys and projects; Jobs in its own namespace do the pulling.

#![allow(dead_code, reason = "landed ahead of the parts that use it")]

mod annotations;
mod apply;
mod build;
mod config;
mod context;
mod controller;
mod dereference;
mod disconnect;
mod error;
mod events;
mod identity;
mod jobs;
mod malformed;
mod metrics;
mod namespaces;
mod patch;
mod reconcile;
mod update_status;
mod validate;
mod watched;

use std::sync::Arc;

use domain::storage::Store;
use tokio_util::sync::CancellationToken;

pub use self::annotations::{FIELD_MANAGER, FINALIZER, labels};
pub use self::config::{DatabaseSecret, Intervals, JobConfig, OperatorConfig};
pub use self::disconnect::release::{release_finalizers, stop_operator};
pub use self::error::Error;
pub use self::events::{Event, Events};
pub use self::metrics::Metrics;

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
    /// What it counts, registered by [`Metrics::register`].
    pub metrics: Metrics,
}

/// Reconciles every connection of the cluster until `cancel`; then lets reconciliations under way end.
///
/// # Errors
/// [`Error`] when the watches cannot be set up.
pub async fn run(parts: Parts, cancel: CancellationToken) -> Result<(), Error> {
    controller::run(parts, cancel).await
}
