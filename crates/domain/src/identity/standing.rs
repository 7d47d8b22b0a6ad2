//! How far PostHog's mappings of distinct ids to persons are known.

use jiff::{SignedDuration, Timestamp};

/// Half an hour less than a day, so that an hourly run a little early does not put it off.
const DAILY: SignedDuration = SignedDuration::from_mins(23 * 60 + 30);

/// How the person mappings of a connection stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonsStanding {
    /// When all of them were last read.
    pub read_at: Option<Timestamp>,
    /// Why they are not, or not all, as PostHog has them, and the fix; one sentence.
    pub problem: Option<String>,
}

/// Whether all mappings are due to be read, for they were last read then.
#[must_use]
pub fn are_mappings_due(read_at: Option<Timestamp>, now: Timestamp) -> bool {
    read_at.is_none_or(|at| now.duration_since(at) >= DAILY)
}

/// How mappings stood after a complete run that began at `began`: if all were due then, it should have read
/// them, and only what PostHog could not answer lets a run become complete without.
#[must_use]
pub fn persons_standing(read_at: Option<Timestamp>, began: Timestamp) -> PersonsStanding {
    let problem = are_mappings_due(read_at, began).then(|| {
        let last = read_at.map_or_else(
            || "were never read whole".to_owned(),
            |at| format!("were last read whole at {}", at.strftime("%FT%TZ")),
        );
        format!(
            "the persons of distinct ids {last}, for PostHog could not finish the query, or throttled it: at most \
             those of new events and of merges are read until it does, and runs go on trying; if it stays so, \
             the log of a run has PostHog's own words for its support"
        )
    });
    PersonsStanding { read_at, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_that_were_due_and_not_read_are_a_problem_and_others_are_none() {
        let at = |hours: i64| Timestamp::from_second(1_780_000_000 + hours * 3600).unwrap();
        for (read_at, began, part) in [
            (None, at(0), Some("never read whole")),
            (Some(at(0)), at(24), Some("at 2026-05-28T20:26:40Z, for")),
            (Some(at(0)), at(23), None),
            // Read by the run itself.
            (Some(at(25)), at(24), None),
        ] {
            let standing = persons_standing(read_at, began);
            assert_eq!(standing.read_at, read_at);
            match (standing.problem, part) {
                (Some(problem), Some(part)) => assert!(problem.contains(part), "{problem}"),
                (problem, part) => assert_eq!(problem.as_deref(), part),
            }
        }
    }
}
