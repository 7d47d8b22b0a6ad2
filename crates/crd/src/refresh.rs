//! How often new events are read, and how far each time looks back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{DURATION_PATTERN, rule};

/// How often new events are read, and how far each time looks back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "duration(self.lookback) >= duration(self.interval)",
    "lookback must not be shorter than interval: set lookback too",
)]))]
pub struct Refresh {
    /// The time between two reads, 5m to 24h, as 1h or 90m.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 24), regex(pattern = DURATION_PATTERN))]
    #[schemars(extend("x-kubernetes-validations" = [bounds_rule()]))]
    pub interval: String,
    /// How far back each read looks, 5m to 24h and not shorter than the interval.
    #[serde(default = "default_lookback")]
    #[schemars(length(max = 24), regex(pattern = DURATION_PATTERN))]
    #[schemars(extend("x-kubernetes-validations" = [bounds_rule()]))]
    pub lookback: String,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            interval: default_interval(),
            lookback: default_lookback(),
        }
    }
}

fn default_interval() -> String {
    "1h".to_owned()
}

fn default_lookback() -> String {
    "6h".to_owned()
}

fn bounds_rule() -> Value {
    rule(
        "duration(self) >= duration('5m') && duration(self) <= duration('24h')",
        "must be between 5m and 24h",
    )
}

pub(crate) fn grace_rule() -> Value {
    rule(
        "duration(self) <= duration('8760h')",
        "must be 8760h (a year) or less: to keep rows for good, set deletionPolicy: Retain",
    )
}
