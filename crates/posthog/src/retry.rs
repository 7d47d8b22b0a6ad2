//! When a failed request is sent again by itself, and after how long.

use std::time::Duration;

use crate::error::{Error, ThrottleKind};

/// Times a request is sent when connections or PostHog's servers fail.
const MOST_FAILURES: u32 = 4;
/// Times a request is sent when PostHog throttles it.
const MOST_THROTTLES: u32 = 5;
/// PostHog names waits of up to an hour; longer ones than this are the caller's to plan.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// The wait after a rate limit that names none, in first pauses: 20 s of half a second.
const UNNAMED_WAIT: u32 = 40;

/// What has gone wrong with one request so far.
#[derive(Debug)]
pub(crate) struct Retry {
    backoff: Duration,
    failures: u32,
    throttles: u32,
}

impl Retry {
    pub(crate) fn new(backoff: Duration) -> Self {
        Self {
            backoff,
            failures: 0,
            throttles: 0,
        }
    }

    /// How long to wait before the same request is sent again; none when the error is final. A query
    /// that was too heavy is never repeated: PostHog answers the same text from a cache of failures
    /// (POSTHOG.md 5.8). Nor is one that timed out: it may still be running there.
    pub(crate) fn wait(&mut self, error: &Error) -> Option<Duration> {
        let wait = match error {
            Error::Unreachable { .. } | Error::Truncated { .. } | Error::Unavailable { .. } => {
                self.failures += 1;
                let pause = self.doubled(self.failures);
                (self.failures < MOST_FAILURES)
                    .then(|| pause.max(error.retry_after().unwrap_or_default()))
            }
            Error::Throttled {
                kind: ThrottleKind::Rate,
                retry_after,
            } => {
                self.throttles += 1;
                let pause = retry_after.unwrap_or(self.backoff * UNNAMED_WAIT * self.throttles);
                (self.throttles < MOST_THROTTLES).then_some(pause)
            }
            Error::Throttled {
                kind: ThrottleKind::Concurrency,
                ..
            } => {
                self.throttles += 1;
                let pause = self.doubled(self.throttles + 1);
                (self.throttles < MOST_THROTTLES).then_some(pause)
            }
            _ => None,
        };
        wait.filter(|wait| *wait <= LONGEST_WAIT)
    }

    /// Doubles with each attempt, and varies so that several waiters do not come back together.
    fn doubled(&self, attempt: u32) -> Duration {
        let full = self.backoff * 2_u32.saturating_pow(attempt.saturating_sub(1));
        full.mul_f64(rand::random_range(0.5..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn throttled(kind: ThrottleKind, seconds: Option<u64>) -> Error {
        Error::Throttled {
            retry_after: seconds.map(Duration::from_secs),
            kind,
        }
    }

    #[test]
    fn failures_are_asked_again_three_times_with_growing_pauses() {
        let mut retry = Retry::new(SECOND);
        let failed = Error::Unavailable {
            status: 503,
            detail: String::new(),
            retry_after: None,
        };
        let waits: Vec<_> = (0..4).map(|_| retry.wait(&failed)).collect();
        for (wait, full) in waits.iter().zip([1, 2, 4]) {
            assert!(wait.is_some_and(|wait| wait >= SECOND * full / 2 && wait <= SECOND * full));
        }
        assert_eq!(waits[3], None);
    }

    #[test]
    fn a_rate_limit_is_obeyed_to_the_second_unless_it_is_long() {
        let mut retry = Retry::new(SECOND);
        let wait = retry.wait(&throttled(ThrottleKind::Rate, Some(62)));
        assert_eq!(wait, Some(Duration::from_secs(62)));
        assert_eq!(retry.wait(&throttled(ThrottleKind::Rate, Some(3600))), None);
    }

    #[test]
    fn an_exhausted_budget_and_a_heavy_query_are_never_asked_again() {
        let mut retry = Retry::new(SECOND);
        let heavy = Error::QueryTooHeavy {
            status: 504,
            detail: String::new(),
        };
        assert_eq!(retry.wait(&heavy), None);
        assert_eq!(retry.wait(&throttled(ThrottleKind::Budget, Some(1))), None);
        assert_eq!(retry.wait(&Error::QuotaExceeded), None);
    }
}
