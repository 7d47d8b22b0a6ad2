//! PlanEligible.

use crd::{ConditionStatus, reasons};
use domain::plan::{PLAN_LABEL, PlanStanding};

use super::Said;

/// What the namespace's label says.
pub(super) fn eligible(plan: &PlanStanding) -> Said {
    match plan {
        PlanStanding::Eligible { plan } => Said::new(
            ConditionStatus::True,
            reasons::PLAN_SUFFICIENT,
            format!("The workspace is on {plan}."),
        ),
        PlanStanding::TooLow { plan } => Said::new(
            ConditionStatus::False,
            reasons::PLAN_TOO_LOW,
            format!(
                "The workspace is on {plan}, and PostHog needs Starter or higher: nothing is read until it is upgraded, what is stored stays."
            ),
        ),
        PlanStanding::Unknown { label: None } => Said::new(
            ConditionStatus::False,
            reasons::PLAN_UNKNOWN,
            format!(
                "The namespace has no label {PLAN_LABEL}: an administrator sets it to starter, growth or scale."
            ),
        ),
        PlanStanding::Unknown { label: Some(label) } => Said::new(
            ConditionStatus::False,
            reasons::PLAN_UNKNOWN,
            format!(
                "The namespace's label {PLAN_LABEL} is {}, which is no plan: an administrator sets it to starter, growth or scale.",
                crd::quoted(label)
            ),
        ),
    }
}
