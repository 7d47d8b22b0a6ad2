//! Distinct ids that events name beside a person, as far as an epoch's events were looked at.

use std::collections::BTreeSet;

/// Which distinct ids have events of certain persons, among those up to a change sequence number.
#[derive(Debug, Default)]
pub(crate) struct SeenIds {
    /// The distinct ids.
    pub(crate) ids: BTreeSet<String>,
    /// The number; 0 when no event was looked at.
    pub(crate) change_seq: i64,
}
