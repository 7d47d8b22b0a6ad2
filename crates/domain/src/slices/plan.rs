//! From counted cells to slices: days packed together while they fit, split where they do not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::split::split_day;
use super::{Cell, RowBytes};
use crate::day::day_bounds;
use crate::event::EventName;
use crate::sync::{Arrivals, Slice, SliceEvents, Window};

/// Slices for the rows that `cells` counted: those of the window, and before it those that arrived
/// late, in the order of time. On the UTC day in which the window begins, one cell may count both.
///
/// Every row of a counted (day, event) is in exactly one slice. Days that fit are packed into
/// slices of all events but autocapture's, which take events of other names too, should they have
/// arrived since; the gaps between counted days of the window are closed for the same reason.
pub fn plan_slices(
    window: Window,
    arrivals: Option<Arrivals>,
    cells: &[Cell],
    row_bytes: RowBytes,
) -> Vec<Slice> {
    let late = arrivals
        .filter(|arrivals| arrivals.from < window.from)
        .map(|arrivals| Range {
            from: arrivals.from,
            to: window.from,
            arrived_since: Some(arrivals.since),
        });
    let within = Range {
        from: window.from,
        to: window.to,
        arrived_since: None,
    };
    let mut slices = Vec::new();
    for autocapture in [false, true] {
        let mut days: BTreeMap<Date, Names<'_>> = BTreeMap::new();
        for cell in cells.iter().filter(|cell| cell.rows > 0) {
            if cell.event.is_autocapture() == autocapture {
                let names = days.entry(cell.day).or_default();
                *names.entry(&cell.event).or_default() += cell.rows;
            }
        }
        let most = row_bytes.most_rows(autocapture);
        for range in late.iter().chain([&within]) {
            range.pack(&days, autocapture, most, &mut slices);
        }
    }
    slices.sort_by_key(|slice| slice.from);
    slices
}

/// The counted events of one day.
pub(super) type Names<'a> = BTreeMap<&'a EventName, u64>;

/// A stretch of time whose rows are asked for under one condition.
struct Range {
    from: Timestamp,
    to: Timestamp,
    arrived_since: Option<Timestamp>,
}

impl Range {
    fn pack(
        &self,
        days: &BTreeMap<Date, Names<'_>>,
        autocapture: bool,
        most: u64,
        slices: &mut Vec<Slice>,
    ) {
        let mut open: Option<Slice> = None;
        let mut covered = self.from;
        for (day, names) in days {
            let (start, end) = day_bounds(*day, &TimeZone::UTC);
            let (from, to) = (start.max(self.from), end.min(self.to));
            if from >= to {
                continue;
            }
            // On the day that the window cuts, the count is mostly the window's own.
            let cut = self.arrived_since.is_some() && end > self.to;
            let rows = if cut { 0 } else { names.values().sum() };
            let whole = Slice {
                from: if self.closes_gaps() { covered } else { from },
                to,
                arrived_since: self.arrived_since,
                events: if autocapture {
                    SliceEvents::Autocapture
                } else {
                    SliceEvents::AllButAutocapture
                },
                part: None,
                expected_rows: rows,
            };
            covered = to;
            match &mut open {
                Some(slice) if rows <= most && slice.expected_rows + rows <= most => {
                    slice.to = to;
                    slice.expected_rows += rows;
                }
                _ if rows <= most => slices.extend(open.replace(whole)),
                _ => {
                    slices.extend(open.take().map(|slice| self.stretched(slice, from)));
                    slices.extend(split_day(&Slice { from, ..whole }, names, most));
                }
            }
        }
        slices.extend(open.map(|slice| self.stretched(slice, self.to)));
    }

    /// Late arrivals are looked for only from the first counted day of a slice to the last, for
    /// there every day costs reading and few have any.
    fn closes_gaps(&self) -> bool {
        self.arrived_since.is_none()
    }

    fn stretched(&self, slice: Slice, to: Timestamp) -> Slice {
        if self.closes_gaps() {
            Slice { to, ..slice }
        } else {
            slice
        }
    }
}
