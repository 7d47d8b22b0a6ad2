//! The edges of a range of days, worked out once: a page's rows are then placed without
//! looking at the time zone again.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{day_bounds, day_of};

/// The days `[from, to)` of a zone with their edges. Finding a day is a binary search;
/// instants outside the range are found too, by the zone itself and slower.
#[derive(Debug, Clone)]
pub struct DayEdges {
    zone: TimeZone,
    days: Vec<Date>,
    /// Where each of `days` begins, and one more: where the last ends.
    edges: Vec<Timestamp>,
}

impl DayEdges {
    /// The edges of the days `[from, to)` of `zone`.
    pub fn new(zone: &TimeZone, from: Date, to: Date) -> Self {
        let mut days = Vec::new();
        let mut edges = Vec::new();
        let mut next = Some(from).filter(|day| *day < to);
        while let Some(day) = next {
            let (start, end) = day_bounds(day, zone);
            if edges.is_empty() {
                edges.push(start);
            }
            edges.push(end);
            days.push(day);
            next = day.tomorrow().ok().filter(|day| *day < to);
        }
        Self {
            zone: zone.clone(),
            days,
            edges,
        }
    }

    /// The edges of every day that `[from, to]` touches.
    pub fn covering(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Self {
        let last = day_of(to, zone);
        Self::new(zone, day_of(from, zone), last.tomorrow().unwrap_or(last))
    }

    /// The day on which `at` falls, the same as [`day_of`].
    pub fn day_of(&self, at: Timestamp) -> Date {
        // Of equal edges the last counts: the days before it are empty.
        let begun = self.edges.partition_point(|edge| *edge <= at);
        match begun.checked_sub(1).and_then(|index| self.days.get(index)) {
            Some(day) => *day,
            None => day_of(at, &self.zone),
        }
    }

    /// The zone whose days these are.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}
