//! Plans a backfill by PostHog's file exports, which select events by the time at which PostHog
//! received them: the exports, and queries for the little that they leave out.
//!
//! Facts, of PostHog/posthog, `products/batch_exports/backend`: an interval is at most a week long and
//! does not end in the future (`presentation/views/file_download.py`); an interval that began over 8
//! days ago holds no event stamped more than 7 days before it begins, nor a day after it ends
//! (`temporal/sql/events.py` EXPORT_TO_S3_FROM_EVENTS, `temporal/pipeline/query_ranges.py`,
//! `DEFAULT_TIMESTAMP_LOOKBACK_DAYS` of the settings).

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use crate::sync::{ExportPart, Slice, SliceEvents, Window};
use crate::window::ARRIVALS_OVERLAP;

/// The longest interval of one export.
pub const LONGEST_INTERVAL: SignedDuration = SignedDuration::from_hours(24 * 7);
/// So far ahead of their arrival events may be stamped (POSTHOG.md 9.3: 23 hours).
pub const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// An export may leave out what is stamped longer than this before its interval.
const LOOKBACK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Slices that together hold every event of `window` that PostHog has by now: exports of what it
/// received in `[window.from - AHEAD, until)`, in the order of time, then queries for what was received
/// since and for what came in so late that exports leave it out. `expected_rows` is of all of them.
#[must_use]
pub fn plan_exports(window: Window, until: Timestamp, expected_rows: u64) -> Vec<Slice> {
    let starts = starts(window, until);
    let share = expected_rows / (starts.len() as u64).max(1);
    let ends = starts.iter().skip(1).copied().chain([until]);
    let mut slices: Vec<Slice> = starts
        .iter()
        .zip(ends)
        .map(|(&from, to)| Slice {
            export: Some(ExportPart::Wanted),
            expected_rows: share,
            ..whole(from, to)
        })
        .collect();
    // What is stamped before `edge` is in none of the exports that begin at `start` or later.
    let mut from = window.from;
    for start in starts {
        let edge = back(start, LOOKBACK).min(window.to);
        if edge > from {
            slices.push(Slice {
                arrived_since: Some(back(start, ARRIVALS_OVERLAP)),
                ..whole(from, edge)
            });
            from = edge;
        }
    }
    if window.to > from {
        slices.push(Slice {
            arrived_since: Some(back(until, ARRIVALS_OVERLAP)),
            ..whole(from, window.to)
        });
    }
    slices
}

/// Where the intervals begin.
fn starts(window: Window, until: Timestamp) -> Vec<Timestamp> {
    let first = back(window.from, AHEAD);
    std::iter::successors(Some(first), |start| {
        start.checked_add(LONGEST_INTERVAL).ok()
    })
    .take_while(|start| *start < until)
    .collect()
}

fn whole(from: Timestamp, to: Timestamp) -> Slice {
    Slice {
        from,
        to,
        arrived_since: None,
        events: SliceEvents::All,
        part: None,
        expected_rows: 0,
        export: None,
    }
}

fn back(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
