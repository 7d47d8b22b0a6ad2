//! How long to leave PostHog alone after a failure: seconds for what passes by itself, hours for
//! what a person must put right, and always as long as PostHog said.

use std::time::Duration;

use domain::storage::StoreError;

use crate::check::CheckError;
use crate::error::SyncError;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A person must change the connection, its key or its host.
    NeedsPerson,
    /// PostHog's limits.
    Throttled,
    /// The quota of a billing period.
    Quota,
    /// PostHog or the network, for the moment.
    Passing,
    /// The store.
    Store,
}

/// A failure as its next attempt sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setback {
    /// What kind of thing went wrong.
    pub class: Class,
    /// When PostHog said to come back.
    pub retry_after: Option<Duration>,
}

impl Setback {
    /// As a failed check leaves it.
    pub fn of_check(error: &CheckError) -> Self {
        match error {
            CheckError::MissingScope { .. } => Self::plain(Class::NeedsPerson),
            CheckError::PostHog(error) => Self::of_posthog(error),
        }
    }

    /// As a failed run leaves it.
    pub fn of_run(error: &SyncError) -> Self {
        match error {
            SyncError::PostHog(error) => Self::of_posthog(error),
            SyncError::Store(StoreError::Unusable { .. } | StoreError::Corrupt { .. })
            | SyncError::UnknownTimeZone(_) => Self::plain(Class::NeedsPerson),
            SyncError::Store(_) => Self::plain(Class::Store),
            _ => Self::plain(Class::Passing),
        }
    }

    /// As a failure leaves it of which only the reason was kept. What is not known passes by itself.
    pub fn of_reason(reason: &str) -> Self {
        Self::plain(match reason {
            "InvalidApiKey" | "WrongKindOfKey" | "WrongRegion" | "MissingScope"
            | "ProjectNotFound" | "NoProjectAccess" | "HostRefused" | "Redirected"
            | "NotPostHog" | "Tls" | "CaBundle" | "Setup" | "Malformed" | "QueryRejected"
            | "Refused" | "IdProperty" | "UnknownTimeZone" | "Unusable" | "Corrupt" => {
                Class::NeedsPerson
            }
            "Throttled" => Class::Throttled,
            "QuotaExceeded" => Class::Quota,
            "Gate" => Class::Store,
            _ => Class::Passing,
        })
    }

    fn of_posthog(error: &posthog::Error) -> Self {
        let class = match error {
            posthog::Error::Throttled { .. } => Class::Throttled,
            posthog::Error::QuotaExceeded => Class::Quota,
            posthog::Error::Gate(_) => Class::Store,
            error if error.is_retryable() || error.wants_smaller_query() => Class::Passing,
            _ => Class::NeedsPerson,
        };
        Self {
            class,
            retry_after: error.retry_after(),
        }
    }

    /// One of which nothing but its class is known.
    pub fn plain(class: Class) -> Self {
        Self {
            class,
            retry_after: None,
        }
    }

    /// The pause before the attempt after so many failures in a row (1 or more).
    pub fn pause(self, failures: u32) -> Duration {
        let doubled = |first: Duration, longest: Duration| {
            let factor = 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
            first.saturating_mul(factor).min(longest)
        };
        let pause = match self.class {
            Class::NeedsPerson => match failures {
                0 | 1 => MINUTE,
                2 => 5 * MINUTE,
                3 => 15 * MINUTE,
                more => HOUR * (more - 3).min(6),
            },
            Class::Throttled => doubled(MINUTE, HOUR),
            Class::Quota => 6 * HOUR,
            Class::Passing => doubled(5 * SECOND, 10 * MINUTE),
            Class::Store => doubled(2 * SECOND, MINUTE),
        };
        // An answer that names years is a mistake somewhere; asking again renews what is meant.
        self.retry_after
            .map_or(pause, |said| said.clamp(SECOND, 2 * HOUR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_key_backs_off_to_hours() {
        let setback = Setback::plain(Class::NeedsPerson);
        let pauses: Vec<u64> = (1..=10).map(|n| setback.pause(n).as_secs() / 60).collect();
        assert_eq!(pauses, [1, 5, 15, 60, 120, 180, 240, 300, 360, 360]);
    }

    #[test]
    fn a_reason_alone_brings_the_pause_of_its_error() {
        let host = domain::ApiHost::parse("https://eu.posthog.com").unwrap();
        let text = String::new;
        for error in [
            posthog::Error::InvalidApiKey { host },
            posthog::Error::QuotaExceeded,
            posthog::Error::Unreachable {
                host: text(),
                reason: text(),
            },
            posthog::Error::Tls {
                host: text(),
                reason: text(),
            },
            posthog::Error::Throttled {
                retry_after: None,
                kind: posthog::ThrottleKind::Rate,
            },
            posthog::Error::TooLarge {
                request: text(),
                limit: 1,
            },
        ] {
            assert_eq!(
                Setback::of_reason(error.reason()).class,
                Setback::of_posthog(&error).class,
                "{error}"
            );
        }
    }

    #[test]
    fn what_posthog_said_goes_before_our_own_pauses() {
        let setback = Setback {
            class: Class::Throttled,
            retry_after: Some(Duration::from_secs(1234)),
        };
        assert_eq!(setback.pause(1), Duration::from_secs(1234));
        assert_eq!(setback.pause(9), Duration::from_secs(1234));
    }

    #[test]
    fn an_answer_that_names_years_or_no_time_at_all_is_not_kept_to() {
        let pause = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            let class = Class::Throttled;
            Setback { class, retry_after }.pause(1)
        };
        assert_eq!(pause(u64::MAX), 2 * HOUR);
        assert_eq!(pause(0), SECOND);
    }

    #[test]
    fn pauses_never_shrink_and_never_overflow() {
        for class in [
            Class::NeedsPerson,
            Class::Throttled,
            Class::Passing,
            Class::Store,
        ] {
            let setback = Setback::plain(class);
            for failures in 1..100 {
                assert!(setback.pause(failures) <= setback.pause(failures + 1));
            }
            assert!(setback.pause(u32::MAX) <= 6 * HOUR);
        }
    }
}
