mod examples;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::sync::{Arrivals, ExportPart, Slice, SliceCursor, SliceEvents, SlicePart, Window};

const NAMES: [&str; 7] = [
    "$pageview",
    "a",
    "b",
    "c",
    "$autocapture",
    "$rageclick",
    "new",
];

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn day(index: i8) -> Date {
    jiff::civil::date(2026, 11, index + 1)
}

/// An event as far as slices tell events apart.
#[derive(Debug, Clone)]
struct Sent {
    at: Timestamp,
    late: bool,
    name: &'static str,
    hash: u64,
    uuid: Uuid,
}

impl Sent {
    /// What the query of a slice answers, written as its conditions.
    fn is_in(&self, slice: &Slice) -> bool {
        let name = EventName::from(self.name);
        let named = match &slice.events {
            SliceEvents::All => true,
            SliceEvents::Named(names) => names.contains(&name),
        };
        named
            && slice.from <= self.at
            && self.at < slice.to
            && (slice.arrived_since.is_none() || self.late)
            && slice
                .part
                .is_none_or(|part| part.hashes().contains(&self.hash))
    }
}

fn any_sent(seconds: std::ops::Range<i64>) -> impl Strategy<Value = Sent> {
    (
        seconds,
        any::<bool>(),
        prop::sample::select(&NAMES[..]),
        any::<u64>(),
        any::<u128>(),
    )
        .prop_map(|(seconds, late, name, hash, uuid)| Sent {
            at: at(seconds),
            late,
            name,
            hash,
            uuid: Uuid::from_u128(uuid),
        })
}

/// What a slice should answer by the cells that were counted. A part is taken to hold its share of
/// the one event that it is a part of.
fn expected_bytes(slice: &Slice, cut: Timestamp, cells: &[Cell], row_bytes: RowBytes) -> u64 {
    let held = |cell: &&Cell| {
        let named = match &slice.events {
            SliceEvents::All => true,
            SliceEvents::Named(names) => names.contains(&cell.event),
        };
        let (start, end) = crate::day::day_bounds(cell.day, &jiff::tz::TimeZone::UTC);
        // Of the day that the window cuts, next to nothing is expected to have arrived late.
        let counts = slice.arrived_since.is_none() || end <= cut;
        named && counts && slice.from < end && start < slice.to
    };
    let held = cells.iter().filter(held);
    if slice.part.is_some() {
        let bytes = held.map(|cell| row_bytes.of(&cell.event)).max();
        return slice.expected_rows * bytes.unwrap_or(0);
    }
    held.map(|cell| cell.rows * row_bytes.of(&cell.event)).sum()
}

const DAYS: i8 = 8;
const SPAN: i64 = 86_400 * DAYS as i64;
const SINCE: i64 = SPAN;

fn any_cells() -> impl Strategy<Value = Vec<Cell>> {
    let rows = prop_oneof![0_u64..20_000, 0_u64..200_000];
    let cell = (0..DAYS, prop::sample::select(&NAMES[..6]), rows);
    prop::collection::vec(cell, 0..40).prop_map(|cells| {
        cells
            .into_iter()
            .map(|(index, name, rows)| Cell {
                day: day(index),
                event: EventName::from(name),
                rows,
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_event_that_was_counted_is_in_exactly_one_slice(
        cells in any_cells(),
        cut in 0_i64..SPAN,
        with_arrivals: bool,
        reach in 0_i64..SPAN,
        sent in prop::collection::vec(any_sent(0..SPAN), 1..60),
        bytes in 1_u64..5_000,
    ) {
        let window = Window { from: at(cut), to: at(SPAN) };
        let arrivals = with_arrivals.then_some(Arrivals { from: at(reach), since: at(SINCE) });
        let row_bytes = RowBytes { plain: bytes, autocapture: bytes * 2 };
        let slices = plan_slices(window, arrivals, &cells, row_bytes);
        let counted: BTreeSet<(Date, &str)> = cells
            .iter()
            .filter(|cell| cell.rows > 0)
            .map(|cell| (cell.day, cell.event.as_str()))
            .collect();
        for event in &sent {
            let date = event.at.to_string()[..10].parse::<Date>().unwrap();
            let wanted = event.at >= window.from
                || arrivals.is_some_and(|arrivals| event.at >= arrivals.from && event.late);
            let holders = slices.iter().filter(|slice| event.is_in(slice)).count();
            if !wanted {
                prop_assert_eq!(holders, 0, "{:?}", event);
            } else if counted.contains(&(date, event.name)) {
                prop_assert_eq!(holders, 1, "{:?}", event);
            } else {
                prop_assert!(holders <= 1, "{:?}", event);
            }
        }
        for slice in &slices {
            prop_assert!(slice.from < slice.to);
            prop_assert!(slice.expected_rows <= MOST_ROWS);
            prop_assert!(expected_bytes(slice, window.from, &cells, row_bytes) <= MOST_BYTES, "{:?}", slice);
            prop_assert_eq!(slice.arrived_since.is_some(), slice.to <= window.from);
        }
        prop_assert!(slices.is_sorted_by_key(|slice| slice.from));
    }

    #[test]
    fn halves_hold_what_lies_after_the_cursor_once_and_nothing_before_it(
        from in 0_i64..SPAN,
        length in prop_oneof![1_i64..100, 1_i64..SPAN],
        part in prop::option::of((1_u32..9).prop_flat_map(|of| (0..of, Just(of)))),
        sent in prop::collection::vec(any_sent(0..2 * SPAN), 2..60),
        aimed in prop::collection::vec(0.0_f64..1.0, 2..60),
        resume: bool,
    ) {
        let slice = Slice {
            from: at(from),
            to: at(from + length),
            arrived_since: None,
            events: SliceEvents::All,
            part: part.map(|(index, of)| SlicePart { index, of }),
            expected_rows: 1001,
            export: None,
        };
        // Half of the events are aimed at the slice, else few would be within.
        let aimed = sent.iter().zip(aimed).map(|(event, share)| Sent {
            at: slice.from + SignedDuration::from_micros((share * length as f64 * 1e6) as i64),
            ..event.clone()
        });
        let sent: Vec<Sent> = aimed.chain(sent.iter().cloned()).collect();
        let stored = sent.iter().find(|event| resume && event.is_in(&slice));
        let cursor = stored.map(|event| SliceCursor { timestamp: event.at, uuid: event.uuid });
        let halves = halve(&slice, cursor).unwrap();
        prop_assert_eq!(halves.len(), 2);
        prop_assert_eq!(halves.iter().map(|half| half.expected_rows).sum::<u64>(), 1001);
        for event in &sent {
            let holders = halves.iter().filter(|half| event.is_in(half)).count();
            let place = (event.at, event.uuid.to_string());
            let is_left = cursor.is_none_or(|c| place > (c.timestamp, c.uuid.to_string()));
            let is_before = cursor.is_some_and(|c| event.at < c.timestamp);
            if !event.is_in(&slice) || is_before {
                prop_assert_eq!(holders, 0, "{:?}", event);
            } else if is_left {
                prop_assert_eq!(holders, 1, "{:?}", event);
            }
        }
    }
}
