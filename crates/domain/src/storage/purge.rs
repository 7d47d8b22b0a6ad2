//! What becomes of a connection's rows after it is disconnected.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What becomes of a connection's rows after it is disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "camelCase")]
pub enum Deletion {
    /// They stay for good. Also what holds where nothing was ever said, so that no row goes of
    /// which nobody said that it may.
    #[default]
    Retain,
    /// They are removed after the grace period; recreating the connection within it adopts them.
    Delete {
        /// How long they stay.
        grace: SignedDuration,
    },
}

impl Deletion {
    /// From when on the rows of a connection that was disconnected at `deleted_at` may be removed;
    /// never, when absent.
    pub fn due(self, deleted_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Retain => None,
            Self::Delete { grace } => {
                Some(deleted_at.saturating_add(grace).unwrap_or(Timestamp::MAX))
            }
        }
    }
}

/// What asking for a purge came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// Nothing is left of the connection.
    Done {
        /// Events that this call removed.
        events: u64,
    },
    /// The connection lives; nothing of it was removed.
    Alive,
    /// The connection is deleted, but its rows are not due; nothing of it was removed.
    Kept {
        /// When they are due; absent when they stay for good.
        until: Option<Timestamp>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_due_after_the_grace_period_or_never() {
        let deleted = Timestamp::UNIX_EPOCH;
        let grace = SignedDuration::from_hours(168);
        let due = deleted + grace;
        assert_eq!(Deletion::Delete { grace }.due(deleted), Some(due));
        assert_eq!(Deletion::Retain.due(deleted), None);
        let endless = Deletion::Delete {
            grace: SignedDuration::MAX,
        };
        assert_eq!(endless.due(deleted), Some(Timestamp::MAX));
    }
}
