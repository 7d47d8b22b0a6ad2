//! From counted cells to slices: days packed together while they fit, split where they do not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::split::split_day;
use super::{Cell, Load, RowBytes};
use crate::day::day_bounds;
use crate::event::EventName;
use crate::sync::{Arrivals, Slice, SliceEvents, Window};

/// Slices for the rows that `cells` counted: those of the window, and before it those that arrived
/// late, in the order of time. On the UTC day in which the window begins, one cell may count both.
///
/// Every row of a counted (day, event) is in exactly one slice. Days that fit are packed into
/// slices of all events, which take events of other names too, should they have arrived since; the
/// gaps between counted days of the window are closed for the same reason. Autocapture is packed
/// with the rest: ClickHouse reads 8,192 rows of a column at least, so a small shop's clicks, asked
/// for by themselves, would make it read most of the other events' properties a second time.
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
    let mut days: BTreeMap<Date, Names<'_>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.rows > 0) {
        let names = days.entry(cell.day).or_default();
        *names.entry(&cell.event).or_default() += cell.rows;
    }
    let mut slices = Vec::new();
    for range in late.iter().chain([&within]) {
        range.pack(&days, row_bytes, &mut slices);
    }
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
    fn pack(&self, days: &BTreeMap<Date, Names<'_>>, row_bytes: RowBytes, to: &mut Vec<Slice>) {
        let mut open: Option<(Slice, Load)> = None;
        let mut covered = self.from;
        for (day, names) in days {
            let (start, end) = day_bounds(*day, &TimeZone::UTC);
            let (from, until) = (start.max(self.from), end.min(self.to));
            if from >= until {
                continue;
            }
            // On the day that the window cuts, the count is mostly the window's own.
            let cut = self.arrived_since.is_some() && end > self.to;
            let load = if cut {
                Load::default()
            } else {
                let loads = names.iter().map(|(name, rows)| row_bytes.load(name, *rows));
                loads.fold(Load::default(), Load::plus)
            };
            let whole = Slice {
                from: if self.closes_gaps() { covered } else { from },
                to: until,
                arrived_since: self.arrived_since,
                events: SliceEvents::All,
                part: None,
                expected_rows: load.rows,
                export: None,
            };
            covered = until;
            match &mut open {
                Some((slice, held)) if held.plus(load).fits() => {
                    *held = held.plus(load);
                    slice.to = until;
                    slice.expected_rows = held.rows;
                }
                _ if load.fits() => to.extend(open.replace((whole, load)).map(|(slice, _)| slice)),
                _ => {
                    to.extend(open.take().map(|(slice, _)| self.stretched(slice, from)));
                    to.extend(split_day(&Slice { from, ..whole }, names, row_bytes));
                }
            }
        }
        to.extend(open.map(|(slice, _)| self.stretched(slice, self.to)));
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
