//! Decides, without asking anybody: what is wrong, what is due, what the conditions say.

use crd::{Condition, PostHogConnection, ValidConnection, reasons};
use domain::plan::PlanStanding;
use jiff::Timestamp;

use crate::dereference::Found;

/// What was decided.
pub(crate) struct Verdict {
    /// What the conditions say.
    pub(crate) conditions: Vec<Condition>,
    /// What the store is told is wanted; nothing while the spec cannot be used.
    pub(crate) wanted: Option<(ValidConnection, PlanStanding)>,
}

/// Decides what was found about `connection` as of `now`.
pub(crate) fn validate(connection: &PostHogConnection, found: &Found, now: Timestamp) -> Verdict {
    let condition = |kind: &str, status, reason: &str, message: String| Condition {
        kind: kind.to_owned(),
        status,
        observed_generation: connection.metadata.generation,
        last_transition_time: now,
        reason: reason.to_owned(),
        message,
    };
    let ready = match &found.spec {
        Ok(_) => condition(
            crd::READY,
            crd::ConditionStatus::Unknown,
            reasons::CHECKING,
            "The connection is being checked.".to_owned(),
        ),
        Err(problems) => condition(
            crd::READY,
            crd::ConditionStatus::False,
            reasons::INVALID_SPEC,
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        ),
    };
    Verdict {
        conditions: vec![ready],
        wanted: found
            .spec
            .clone()
            .ok()
            .map(|valid| (valid, found.plan.clone())),
    }
}
