//! Reads what a reconciliation needs: the plan label, the connection's Jobs and what the store has.

use crd::{FieldError, PostHogConnection, ValidConnection};
use domain::plan::PlanStanding;

use crate::context::Context;
use crate::error::Error;
use crate::identity::Identity;

/// What was found.
pub(crate) struct Found {
    /// The spec, or every problem of it.
    pub(crate) spec: Result<ValidConnection, Vec<FieldError>>,
    /// Whether the workspace's plan admits PostHog.
    pub(crate) plan: PlanStanding,
}

/// Reads it all.
pub(crate) async fn dereference(
    ctx: &Context,
    connection: &PostHogConnection,
    identity: &Identity,
) -> Result<Found, Error> {
    let namespace = &identity.name.namespace;
    let workspace = ctx.namespaces.get(namespace);
    Ok(Found {
        spec: crd::validate(connection, namespace),
        plan: workspace.map_or(PlanStanding::Unknown { label: None }, |found| found.plan),
    })
}
