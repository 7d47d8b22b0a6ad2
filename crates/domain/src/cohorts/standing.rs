//! Which cohorts are not, or may not be, as they should be.

use jiff::Timestamp;

use super::{Cohort, is_due, listed_cohorts};
use crate::connection::ConnectionId;
use crate::storage::{CohortReader, CohortRecord, StoreError};

/// Characters of a cohort's name that a sentence holds.
const NAME: usize = 60;

/// How the cohorts of a connection stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CohortsStanding {
    /// Cohorts that PostHog lists.
    pub listed: u64,
    /// Of those: cohorts that PostHog failed to compute when it last tried. Their members are of the last
    /// time that it did not fail.
    pub failing: u64,
    /// Of those: cohorts whose members could not be read as PostHog says they are.
    pub behind: u64,
    /// What is wrong with the first of them, and the fix; one sentence.
    pub problem: Option<String>,
}

/// How the cohorts of a connection stood after a run that began at `began`.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn standing_of<R: CohortReader + ?Sized>(
    reader: &R,
    id: ConnectionId,
    began: Timestamp,
) -> Result<CohortsStanding, StoreError> {
    Ok(standing(&listed_cohorts(reader, id).await?, began))
}

/// How cohorts stood after a run that began at `began`: whatever was due then should have been read.
fn standing(records: &[CohortRecord], began: Timestamp) -> CohortsStanding {
    let listed = || records.iter().filter(|it| it.deleted_at.is_none());
    let failing: Vec<&Cohort> = listed()
        .map(|it| &it.cohort)
        .filter(|it| it.errors_calculating > 0)
        .collect();
    let behind: Vec<&Cohort> = listed()
        .filter(|it| is_due(it, began))
        .map(|it| &it.cohort)
        .collect();
    CohortsStanding {
        listed: listed().count() as u64,
        failing: failing.len() as u64,
        behind: behind.len() as u64,
        problem: problem(&failing, &behind),
    }
}

fn problem(failing: &[&Cohort], behind: &[&Cohort]) -> Option<String> {
    if let [first, others @ ..] = failing {
        return Some(format!(
            "PostHog could not compute {} ({} times in a row): open it in PostHog and mend its definition",
            named(first, others.len()),
            first.errors_calculating
        ));
    }
    let [first, others @ ..] = behind else {
        return None;
    };
    Some(format!(
        "{} could not be read as it is in PostHog, or changed while it was read: the next run reads it again",
        named(first, others.len())
    ))
}

fn named(cohort: &Cohort, others: usize) -> String {
    let name: String = cohort.name.chars().take(NAME).collect();
    let and = match others {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    format!("cohort {} {name:?}{and}", cohort.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohorts::{CohortId, CohortKind, CohortMark};
    use crate::storage::CohortRead;

    fn record(id: i64, errors: u64, is_read: bool) -> CohortRecord {
        let mark = CohortMark::default();
        let read = CohortRead {
            at: Timestamp::UNIX_EPOCH,
            mark,
        };
        CohortRecord {
            cohort: Cohort {
                id: CohortId(id),
                name: format!("B\u{e4}r \"{}\"", "x".repeat(99)),
                description: String::new(),
                kind: CohortKind::Dynamic,
                definition: None,
                created_at: None,
                is_calculating: false,
                errors_calculating: errors,
                mark,
            },
            members: 0,
            read: is_read.then_some(read),
            deleted_at: None,
        }
    }

    fn of(records: &[CohortRecord]) -> CohortsStanding {
        standing(records, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn cohorts_that_were_read_stand_well() {
        let well = of(&[record(1, 0, true), record(2, 0, true)]);
        assert_eq!((well.listed, well.failing, well.behind), (2, 0, 0));
        assert_eq!(well.problem, None);
        assert_eq!(of(&[]), CohortsStanding::default());
    }

    #[test]
    fn what_posthog_cannot_compute_is_named_before_what_could_not_be_read() {
        let both = [record(1, 0, false), record(2, 3, true), record(3, 1, false)];
        let both = of(&both);
        assert_eq!((both.failing, both.behind), (2, 2));
        let problem = both.problem.unwrap();
        assert!(
            problem.starts_with("PostHog could not compute cohort 2 \"B\u{e4}r \\\"xxx"),
            "{problem}"
        );
        assert!(
            problem.contains("and 1 more (3 times in a row)"),
            "{problem}"
        );
        assert!(problem.chars().count() < 200, "{problem}");
        let behind = of(&[record(1, 0, false)]).problem.unwrap();
        assert!(behind.starts_with("cohort 1 "), "{behind}");
    }

    #[test]
    fn a_deleted_cohort_stands_nowhere() {
        let mut gone = record(1, 2, false);
        gone.deleted_at = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(of(&[gone]), CohortsStanding::default());
    }
}
