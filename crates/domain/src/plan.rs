//! Plans of Ordinary and who may connect PostHog.

use serde::{Deserialize, Serialize};

/// The Namespace label that names a workspace's plan; tenants cannot set it.
pub const PLAN_LABEL: &str = "ordinary.dev/plan";

/// A plan, cheapest first. The order decides eligibility.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Plan {
    /// No PostHog.
    Free,
    /// The first plan that may connect PostHog.
    Starter,
    /// Above Starter.
    Growth,
    /// Above Growth.
    Scale,
}

/// Whether a workspace's plan admits PostHog, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "camelCase")]
pub enum PlanStanding {
    /// Starter or higher.
    Eligible {
        /// The plan it is on.
        plan: Plan,
    },
    /// A known plan below Starter: nothing is pulled, reads answer `PLAN_TOO_LOW`.
    TooLow {
        /// The plan it is on.
        plan: Plan,
    },
    /// No label, or one that names no plan: reason `PlanUnknown`.
    Unknown {
        /// The label's value, where there is one.
        label: Option<String>,
    },
}

impl PlanStanding {
    /// The standing that a Namespace's label gives.
    pub fn of_label(label: Option<&str>) -> Self {
        match label.map(str::parse::<Plan>) {
            Some(Ok(plan)) if plan >= Plan::Starter => Self::Eligible { plan },
            Some(Ok(plan)) => Self::TooLow { plan },
            _ => Self::Unknown {
                label: label.map(str::to_owned),
            },
        }
    }

    /// Whether PostHog may be pulled and read.
    pub fn is_eligible(&self) -> bool {
        matches!(self, Self::Eligible { .. })
    }
}

#[cfg(test)]
mod tests;
