//! Namespaces as reconciliations see them: the plan label, and whether they are going.

use domain::plan::{PLAN_LABEL, PlanStanding};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;

use crate::watched::Watched;

/// Every namespace of the cluster.
pub(crate) type Namespaces = Watched<Workspace>;

/// A namespace: the workspace of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace {
    /// Its name.
    pub(crate) name: String,
    /// Whether its plan admits PostHog.
    pub(crate) plan: PlanStanding,
    /// Whether it is being deleted.
    pub(crate) is_terminating: bool,
}

/// Reduces a Namespace's metadata.
pub(crate) fn reduce(namespace: &PartialObjectMeta<Namespace>) -> Option<(String, Workspace)> {
    let name = namespace.metadata.name.clone()?;
    let label = namespace.labels().get(PLAN_LABEL);
    let workspace = Workspace {
        name: name.clone(),
        plan: PlanStanding::of_label(label.map(String::as_str)),
        is_terminating: namespace.metadata.deletion_timestamp.is_some(),
    };
    Some((name, workspace))
}
