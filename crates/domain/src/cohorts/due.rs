//! When a cohort is worth comparing.

use jiff::{SignedDuration, Timestamp};

use crate::storage::CohortRecord;

/// Half an hour less than a day, so that an hourly run a little early does not put it off.
const DAILY: SignedDuration = SignedDuration::from_mins(23 * 60 + 30);

/// Whether the members of a cohort may not be those that are stored: PostHog says something else of
/// it than when they were read, or a day has passed. PostHog counts a static cohort only when
/// somebody is uploaded, and its persons may be deleted or merged without that.
#[must_use]
pub fn is_due(record: &CohortRecord, now: Timestamp) -> bool {
    if record.deleted_at.is_some() {
        return false;
    }
    record.read.is_none_or(|read| {
        read.mark != record.cohort.mark || now.duration_since(read.at).abs() >= DAILY
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohorts::{Cohort, CohortId, CohortKind, CohortMark};
    use crate::storage::CohortRead;

    fn record(read: Option<CohortRead>) -> CohortRecord {
        CohortRecord {
            cohort: Cohort {
                id: CohortId(1),
                name: String::new(),
                description: String::new(),
                kind: CohortKind::Dynamic,
                definition: None,
                created_at: None,
                is_calculating: false,
                errors_calculating: 0,
                mark: mark(7),
            },
            members: 0,
            read,
            deleted_at: None,
        }
    }

    fn mark(version: u64) -> CohortMark {
        CohortMark {
            version: Some(version),
            ..CohortMark::default()
        }
    }

    #[test]
    fn a_cohort_is_due_when_it_was_never_read_or_computed_since_or_a_day_ago() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1_000);
        let read = |hours_ago, version| CohortRead {
            at: now - SignedDuration::from_hours(hours_ago),
            mark: mark(version),
        };
        assert!(is_due(&record(None), now));
        assert!(is_due(&record(Some(read(1, 6))), now));
        assert!(!is_due(&record(Some(read(1, 7))), now));
        assert!(is_due(&record(Some(read(24, 7))), now));
        // A clock that was set back must not put it off for long.
        assert!(is_due(&record(Some(read(-48, 7))), now));
    }

    #[test]
    fn a_deleted_cohort_is_never_due() {
        let mut gone = record(None);
        gone.deleted_at = Some(Timestamp::UNIX_EPOCH);
        assert!(!is_due(&gone, Timestamp::UNIX_EPOCH));
    }
}
