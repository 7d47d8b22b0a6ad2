//! From a verdict to what is to be written: pure, so that the same verdict always gives the same objects.

use crd::{PostHogConnection, PostHogConnectionStatus, set_condition};
use domain::storage::DesiredConnection;

use crate::identity::Identity;
use crate::validate::Verdict;

/// What is to be written.
pub(crate) struct Desired {
    pub(crate) identity: Identity,
    pub(crate) record: Option<DesiredConnection>,
    pub(crate) status: PostHogConnectionStatus,
}

/// Builds it.
pub(crate) fn build(
    identity: &Identity,
    connection: &PostHogConnection,
    verdict: &Verdict,
) -> Desired {
    let mut status = connection.status.clone().unwrap_or_default();
    status.observed_generation = connection.metadata.generation;
    for condition in &verdict.conditions {
        set_condition(&mut status.conditions, condition.clone());
    }
    Desired {
        identity: identity.clone(),
        record: verdict
            .wanted
            .clone()
            .map(|(valid, plan)| valid.into_desired(plan)),
        status,
    }
}
