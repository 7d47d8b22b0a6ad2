//! How far this machine's clock is from PostHog's, by the `Date` of its answers.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{self, HeaderMap};

/// PostHog has not said what time it is.
const UNKNOWN: i64 = i64::MIN;

/// The skew seen last, shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct ClockSkew(AtomicI64);

impl ClockSkew {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }

    /// Takes note of an answer that came at `now`.
    pub(crate) fn observe(&self, headers: &HeaderMap, now: Timestamp) {
        let theirs = headers
            .get(header::DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| rfc2822::parse(value).ok());
        if let Some(theirs) = theirs {
            let ahead = now.duration_since(theirs.timestamp()).as_secs();
            self.0.store(ahead, Ordering::Relaxed);
        }
    }

    /// Our clock less PostHog's, to the second; unknown before the first answer.
    pub(crate) fn get(&self) -> Option<SignedDuration> {
        let seconds = self.0.load(Ordering::Relaxed);
        (seconds != UNKNOWN).then(|| SignedDuration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_skew_is_our_time_less_the_date_of_the_answer() {
        let skew = ClockSkew::new();
        assert_eq!(skew.get(), None);
        let mut headers = HeaderMap::new();
        headers.insert(
            header::DATE,
            HeaderValue::from_static("Thu, 01 Jan 1970 00:10:00 GMT"),
        );
        skew.observe(&headers, Timestamp::UNIX_EPOCH);
        assert_eq!(skew.get(), Some(SignedDuration::from_mins(-10)));
    }
}
