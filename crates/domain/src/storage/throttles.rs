//! What PostHog's rate limits tell of a project over time: whether the published figures hold there,
//! or only the older ones.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::BudgetLimits;

/// So many rate limits within [`LONG`] mean that the published figures do not hold.
const LONG_COUNT: usize = 3;
/// What "throttled for long" looks back on.
const LONG: SignedDuration = SignedDuration::from_mins(30);
/// How long the older figures are kept to before the published ones are tried again.
const LEGACY_FOR: SignedDuration = SignedDuration::from_hours(6);

/// The rate limits that a project has met, kept with its budget so that every process knows of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Throttles {
    recent: Vec<Timestamp>,
    legacy_until: Option<Timestamp>,
}

impl Throttles {
    /// Takes note of a rate limit. The third within half an hour brings the older figures for six
    /// hours; whether this was it.
    pub fn note(&mut self, now: Timestamp) -> bool {
        // One from the future is a clock that was set back: it must not count for ever.
        self.recent
            .retain(|at| *at <= now && now.duration_since(*at) <= LONG);
        self.recent.push(now);
        let is_long = self.recent.len() >= LONG_COUNT;
        if is_long {
            self.recent.clear();
            self.legacy_until = Some(now.saturating_add(LEGACY_FOR).unwrap_or(Timestamp::MAX));
        }
        is_long
    }

    /// What of `limits`, a share of [`BudgetLimits::PUBLISHED`], may be asked now: all of it, or the
    /// same share of [`BudgetLimits::LEGACY`].
    pub fn limit(&self, limits: BudgetLimits, now: Timestamp) -> BudgetLimits {
        // Longer than that away is a clock that was set back.
        let is_legacy = self
            .legacy_until
            .is_some_and(|until| now < until && until.duration_since(now) <= LEGACY_FOR);
        if !is_legacy {
            return limits;
        }
        let share = BudgetLimits::PUBLISHED.per_hour / BudgetLimits::LEGACY.per_hour;
        BudgetLimits {
            per_hour: limits.per_hour / share,
            ..limits
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(count: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(count)
    }

    fn per_hour(throttles: &Throttles, now: Timestamp) -> u32 {
        throttles.limit(BudgetLimits::PUBLISHED, now).per_hour
    }

    #[test]
    fn the_third_rate_limit_within_half_an_hour_brings_the_older_figures_for_six_hours() {
        let mut throttles = Throttles::default();
        assert!(!throttles.note(minutes(0)));
        assert!(!throttles.note(minutes(10)));
        assert_eq!(per_hour(&throttles, minutes(10)), 2400);
        assert!(throttles.note(minutes(30)));
        assert_eq!(per_hour(&throttles, minutes(30)), 120);
        assert_eq!(per_hour(&throttles, minutes(30 + 359)), 120);
        assert_eq!(per_hour(&throttles, minutes(30 + 360)), 2400);
        let run = BudgetLimits {
            per_hour: 2160,
            ..BudgetLimits::PUBLISHED
        };
        assert_eq!(throttles.limit(run, minutes(31)).per_hour, 108);
    }

    #[test]
    fn rate_limits_far_apart_change_nothing() {
        let mut throttles = Throttles::default();
        for turn in 0..20 {
            assert!(!throttles.note(minutes(16 * turn)));
        }
        assert_eq!(per_hour(&throttles, minutes(320)), 2400);
    }

    #[test]
    fn a_clock_that_was_ahead_leaves_nothing_behind() {
        let mut throttles = Throttles::default();
        for minute in [9000, 9001, 9002] {
            throttles.note(minutes(minute));
        }
        assert_eq!(per_hour(&throttles, minutes(0)), 2400);
        assert!(!throttles.note(minutes(0)));
    }
}
