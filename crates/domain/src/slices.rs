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

/// How many bytes a row has in PostHog's answer on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowBytes {
    /// Rows of all events but autocapture's.
    pub plain: u64,
    /// Autocapture's rows, with their `elements_chain`.
    pub autocapture: u64,
}

/// What a slice is expected to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Load {
    rows: u64,
    bytes: u64,
}

impl RowBytes {
    /// What is assumed before anything is measured: a row of ids, times, a path and a referrer,
    /// and with it a chain of a dozen elements.
    pub const TYPICAL: Self = Self {
        plain: 400,
        autocapture: 1600,
    };

    fn of(self, event: &EventName) -> u64 {
        if event.is_autocapture() {
            self.autocapture
        } else {
            self.plain
        }
    }

    /// What so many rows of an event come to.
    fn load(self, event: &EventName, rows: u64) -> Load {
        Load {
            rows,
            bytes: rows.saturating_mul(self.of(event)),
        }
    }

    /// The most rows of an event that a slice should answer; 1 or more.
    fn most_rows(self, event: &EventName) -> u64 {
        (MOST_BYTES / self.of(event).max(1)).clamp(1, MOST_ROWS)
    }
}

impl Load {
    /// Whether one query may answer it.
    fn fits(self) -> bool {
        self.rows <= MOST_ROWS && self.bytes <= MOST_BYTES
    }

    fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

#[cfg(test)]
mod tests;
