//! What recounts have proven, day by day.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Lease, Result};
use crate::connection::ConnectionId;

/// What a recount says of a UTC day.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Verdict {
    /// PostHog has as many events as the store holds or erased.
    Verified,
    /// They differ and the day is being read again.
    Pending,
    /// They differ although the day was read again twice for the same count.
    Mismatch,
}

/// The state of one UTC day's proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayVerdict {
    /// The UTC day.
    pub day: Date,
    /// Distinct events that PostHog counted.
    pub remote: u64,
    /// Distinct events stored.
    pub local: u64,
    /// Events that were erased here, as far as PostHog is not known to have deleted them too.
    #[serde(default)]
    pub erased: u64,
    /// What follows.
    pub verdict: Verdict,
    /// How often the day was read again for this same `remote`.
    pub repulls: u32,
    /// When it was counted.
    pub counted_at: Timestamp,
}

impl DayVerdict {
    /// Events that are not missing here: what PostHog is expected to count.
    pub fn held(&self) -> u64 {
        self.local + self.erased
    }
}

/// Storage of verdicts.
#[async_trait]
pub trait CompletenessStore: Send + Sync {
    /// Writes verdicts, one a day, over the earlier ones.
    async fn put_verdicts(&self, lease: &Lease, verdicts: &[DayVerdict]) -> Result<()>;

    /// The verdicts of `[from, to)`, by day.
    async fn verdicts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<DayVerdict>>;
}
