//! Cohorts: PostHog's named sets of persons, and how two copies of one are compared without reading
//! either whole.

mod bucket;
mod digest;
mod due;
mod listed;
mod standing;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::bucket::{BucketRange, CohortBucket};
pub use self::digest::{CohortDigest, digests_of};
pub use self::due::is_due;
pub use self::listed::listed_cohorts;
pub use self::standing::{CohortsStanding, standing_of};

/// A cohort's number, unique within its project and never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CohortId(pub i64);

impl std::fmt::Display for CohortId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a cohort's members come from. PostHog keeps each kind in a table of its own (POSTHOG.md 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CohortKind {
    /// PostHog computes them from the definition, again and again.
    Dynamic,
    /// Somebody uploaded or copied them.
    Static,
}

impl CohortKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Dynamic, Self::Static];
}

/// Which cohorts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CohortSelection {
    /// Every one that PostHog lists.
    #[default]
    All,
    /// None: those that are stored go.
    None,
}

/// A cohort as PostHog lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cohort {
    /// Its number.
    pub id: CohortId,
    /// Its name; may be empty.
    pub name: String,
    /// Free text; may be empty.
    pub description: String,
    /// Where its members come from.
    pub kind: CohortKind,
    /// PostHog's definition of it, as JSON text; absent where PostHog has none.
    pub definition: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Whether PostHog computes it at the moment.
    pub is_calculating: bool,
    /// How often in a row PostHog failed to compute it.
    pub errors_calculating: u64,
    /// What tells one state of its members from another.
    pub mark: CohortMark,
}

/// What PostHog says of the state of a cohort's members: as long as it stays the same, so do they,
/// but for what PostHog does not count (a static cohort may lose a deleted person).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CohortMark {
    /// How many members PostHog says there are; absent before the first computation.
    pub count: Option<u64>,
    /// The number of the computation; absent in older versions of PostHog.
    pub version: Option<u64>,
    /// When it was last computed, or its upload ended.
    pub last_calculated_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
