//! When all distinct ids are read, and from where on: daily, over several runs where PostHog does not answer
//! for all of them in one.

use domain::identity::are_mappings_due;
use domain::storage::{NewRun, PersonsReading};
use jiff::{SignedDuration, Timestamp};
use posthog::Error;

/// So long PostHog is not asked again for all, where it could not answer for any more of them: the query goes
/// through a table that an hour has hardly changed, and costs PostHog all it may take each time. Four times
/// a day is soon enough for what is wanted once a day.
pub(crate) const PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// What a run does about all distinct ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whole {
    /// Nothing: they were read within a day.
    NotDue,
    /// Nothing before then.
    PutOff { until: Timestamp },
    /// Reads them, from the first or from where this run or an earlier one left off.
    Due(PersonsReading),
}

impl Whole {
    /// By when they were last read whole, and what is left of a read since.
    pub(crate) fn of(
        run: &NewRun,
        read_at: Option<Timestamp>,
        left: Option<PersonsReading>,
        now: Timestamp,
    ) -> Self {
        let anew = PersonsReading {
            began: now,
            through: None,
            paused_until: None,
        };
        let reads_a_window_whole = run.arrivals.is_none();
        let Some(left) = left else {
            let is_wanted = reads_a_window_whole || are_mappings_due(read_at, now);
            return if is_wanted {
                Self::Due(anew)
            } else {
                Self::NotDue
            };
        };
        // A pause that is longer than any was noted by a clock that was wrong.
        let is_pause = |until: &Timestamp| *until > now && until.duration_since(now) <= PAUSE;
        if let Some(until) = left.paused_until.filter(is_pause) {
            return Self::PutOff { until };
        }
        // The window may have brought events of ids that an earlier run's read had passed by then.
        let is_too_old = reads_a_window_whole && is_of_an_earlier_run(&left, run);
        if left.through.is_none() || is_too_old {
            return Self::Due(anew);
        }
        Self::Due(left)
    }

    /// Whether what is read once a day beside distinct ids is due with them, and not only their rest. A read
    /// that takes more than a day holds it up no longer.
    pub(crate) fn begins_a_day(&self, now: Timestamp) -> bool {
        match self {
            Self::NotDue | Self::PutOff { .. } => false,
            Self::Due(reading) => {
                reading.through.is_none() || are_mappings_due(Some(reading.began), now)
            }
        }
    }
}

/// Whether a read began before this run.
pub(crate) fn is_of_an_earlier_run(reading: &PersonsReading, run: &NewRun) -> bool {
    reading.began < run.started_at
}

/// Whether what failed so is left alone for a while. What PostHog throttles, or does not answer for the
/// moment, is only a matter of the next run; but an answer that never comes is one that takes too long.
pub(crate) fn asks_for_a_pause(error: &Error) -> bool {
    let is_passing = error.is_retryable() && !matches!(error, Error::Timeout { .. });
    !is_passing && !error.fails_every_request()
}

#[cfg(test)]
mod tests {
    use domain::sync::{Arrivals, SyncMode, Window};

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + hours * 3600).unwrap()
    }

    /// A run that began at hour 100.
    fn run(mode: SyncMode) -> NewRun {
        let (from, to) = (at(94), at(100));
        let since = from;
        NewRun {
            mode,
            window: Window { from, to },
            arrivals: (mode == SyncMode::Refresh).then_some(Arrivals { from, since }),
            started_at: to,
            way: None,
            slices: Vec::new(),
        }
    }

    fn left(
        began: i64,
        through: Option<&str>,
        paused_until: Option<i64>,
    ) -> Option<PersonsReading> {
        Some(PersonsReading {
            began: at(began),
            through: through.map(str::to_owned),
            paused_until: paused_until.map(at),
        })
    }

    fn whole(mode: SyncMode, read: Option<i64>, left: &Option<PersonsReading>) -> Whole {
        Whole::of(&run(mode), read.map(at), left.clone(), at(100))
    }

    fn anew() -> Whole {
        Whole::Due(left(100, None, None).unwrap())
    }

    #[test]
    fn all_are_read_daily_and_by_a_backfill() {
        use SyncMode::{Backfill, Refresh};
        for (mode, read, expected) in [
            (Refresh, None, anew()),
            (Refresh, Some(76), anew()),
            (Refresh, Some(77), Whole::NotDue),
            (Backfill, Some(99), anew()),
        ] {
            assert_eq!(whole(mode, read, &None), expected);
        }
    }

    #[test]
    fn a_read_that_was_begun_is_gone_on_with_though_none_is_due() {
        let begun = left(90, Some("d"), None);
        let expected = Whole::Due(begun.clone().unwrap());
        for read in [None, Some(10), Some(99)] {
            assert_eq!(whole(SyncMode::Refresh, read, &begun), expected);
        }
        let nothing = left(90, None, None);
        assert_eq!(whole(SyncMode::Refresh, None, &nothing), anew());
    }

    #[test]
    fn a_backfill_goes_on_only_with_its_own_read() {
        let own = left(100, Some("d"), None);
        let expected = Whole::Due(own.clone().unwrap());
        assert_eq!(whole(SyncMode::Backfill, None, &own), expected);
        let earlier = left(99, Some("d"), None);
        assert_eq!(whole(SyncMode::Backfill, None, &earlier), anew());
    }

    #[test]
    fn a_pause_is_kept_to_unless_it_is_over_or_longer_than_any() {
        let until = |until| whole(SyncMode::Refresh, None, &left(90, None, Some(until)));
        assert_eq!(until(106), Whole::PutOff { until: at(106) });
        assert_eq!(until(100), anew());
        assert_eq!(until(107), anew());
    }

    #[test]
    fn what_is_daily_is_not_done_with_every_part_of_one_read() {
        let begins = |whole: Whole| whole.begins_a_day(at(100));
        let part = |began| Whole::Due(left(began, Some("d"), None).unwrap());
        assert!(begins(anew()));
        assert!(!begins(Whole::NotDue));
        assert!(!begins(Whole::PutOff { until: at(101) }));
        assert!(!begins(part(90)));
        assert!(begins(part(76)));
    }

    #[test]
    fn only_what_will_not_pass_within_the_hour_is_left_alone() {
        let text = String::new;
        let throttled = Error::Throttled {
            retry_after: None,
            kind: posthog::ThrottleKind::Rate,
        };
        let unavailable = Error::Unavailable {
            status: 503,
            detail: text(),
            retry_after: None,
        };
        let too_heavy = Error::QueryTooHeavy {
            status: 504,
            detail: text(),
        };
        let too_slow = Error::Timeout {
            request: text(),
            reason: text(),
        };
        for (error, pauses) in [
            (throttled, false),
            (unavailable, false),
            (too_heavy, true),
            (too_slow, true),
        ] {
            assert_eq!(asks_for_a_pause(&error), pauses, "{error}");
        }
    }
}
