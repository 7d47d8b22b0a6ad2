//! Conditions of a connection: their types, their shape, and how one is set.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::instant;

/// Checked at this generation, plan eligible, the last due run succeeded or is within two
/// intervals, and not stalled.
pub const READY: &str = "Ready";
/// Work towards the spec is going on; absent when it is not (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// Nothing goes on until a person acts; absent when that is not so (kstatus).
pub const STALLED: &str = "Stalled";
/// PostHog accepts the key for this project.
pub const CREDENTIALS_VALID: &str = "CredentialsValid";
/// The workspace's plan admits PostHog.
pub const PLAN_ELIGIBLE: &str = "PlanEligible";
/// The backfill of the epoch asked for is complete.
pub const BACKFILL_COMPLETE: &str = "BackfillComplete";
/// The last due run succeeded.
pub const SYNCED: &str = "Synced";

/// One aspect of a connection's state, in the form that every Kubernetes tool knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation of the spec that this was found for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    #[schemars(schema_with = "instant")]
    pub last_transition_time: Timestamp,
    /// Why, as one word.
    pub reason: String,
    /// Why, as a sentence with the fix.
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It does.
    True,
    /// It does not.
    False,
    /// That is not known.
    Unknown,
}

/// Puts `condition` in the place of the one of its type. The transition time of the old one
/// stays unless the status changed. Says whether anything but that time differs.
pub fn set_condition(conditions: &mut Vec<Condition>, mut condition: Condition) -> bool {
    let Some(old) = conditions.iter_mut().find(|old| old.kind == condition.kind) else {
        conditions.push(condition);
        return true;
    };
    if old.status == condition.status {
        condition.last_transition_time = old.last_transition_time;
    }
    let changed = *old != condition;
    *old = condition;
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: ConditionStatus, message: &str, at: i64) -> Condition {
        Condition {
            kind: READY.to_owned(),
            status,
            observed_generation: Some(1),
            last_transition_time: Timestamp::from_second(at).unwrap(),
            reason: "Tested".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut all = Vec::new();
        assert!(set_condition(
            &mut all,
            ready(ConditionStatus::False, "a", 1)
        ));
        assert!(!set_condition(
            &mut all,
            ready(ConditionStatus::False, "a", 2)
        ));
        assert!(set_condition(
            &mut all,
            ready(ConditionStatus::False, "b", 3)
        ));
        assert_eq!(all[0].last_transition_time.as_second(), 1);
        assert!(set_condition(
            &mut all,
            ready(ConditionStatus::True, "b", 4)
        ));
        assert_eq!(all[0].last_transition_time.as_second(), 4);
        assert_eq!(all.len(), 1);
    }
}
