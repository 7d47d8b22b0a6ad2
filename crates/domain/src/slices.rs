//! Plans how a window is read: slices of few enough rows for one query each, which together hold
//! every counted row exactly once (DESIGN.md "Reading from PostHog").

mod halve;
mod plan;
mod split;

use jiff::civil::Date;

pub use self::halve::halve;
pub use self::plan::plan_slices;
use crate::event::EventName;

/// The most rows that a slice is expected to answer: below PostHog's 50,000 a query
/// (POSTHOG.md 5.4), with room for what arrives between the count and the read.
pub const MOST_ROWS: u64 = 40_000;
/// The most bytes that a slice is expected to answer.
pub const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Rows of one event on one UTC day, as PostHog counted them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The UTC day of the rows' timestamps.
    pub day: Date,
    /// The event.
    pub event: EventName,
    /// Rows, duplicates included.
    pub rows: u64,
}

/// How many bytes a row has in PostHog's answer on average, as measured so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowBytes {
    /// Rows of all events but autocapture's.
    pub plain: u64,
    /// Autocapture's rows, with their `elements_chain`.
    pub autocapture: u64,
}

impl RowBytes {
    /// What is assumed before anything is measured: a row of ids, times, a path and a referrer,
    /// and with it a chain of a dozen elements.
    pub const TYPICAL: Self = Self {
        plain: 400,
        autocapture: 1600,
    };

    /// The most rows of that kind that a slice should answer; 1 or more.
    fn most_rows(self, autocapture: bool) -> u64 {
        let bytes = if autocapture {
            self.autocapture
        } else {
            self.plain
        };
        (MOST_BYTES / bytes.max(1)).clamp(1, MOST_ROWS)
    }
}

#[cfg(test)]
mod tests;
