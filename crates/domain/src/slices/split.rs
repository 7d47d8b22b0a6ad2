//! Splits a day that is too large for one slice: by events, and a single large event by the hash
//! of its distinct ids.

use super::plan::Names;
use crate::event::EventName;
use crate::sync::{Slice, SliceEvents, SlicePart};

/// The most names that one slice lists, so that a query stays short.
const MOST_NAMES: usize = 200;

/// Slices like `whole`, each of at most `most` expected rows, that hold the counted events of its
/// day: neighbours by name together, for so PostHog's table is sorted.
pub(super) fn split_day(whole: &Slice, names: &Names<'_>, most: u64) -> Vec<Slice> {
    let autocapture = whole.events == SliceEvents::Autocapture;
    let mut slices = Vec::new();
    let mut small: Vec<EventName> = Vec::new();
    let mut small_rows = 0;
    let flush = |names: &mut Vec<EventName>, rows: &mut u64, slices: &mut Vec<Slice>| {
        if !names.is_empty() {
            slices.push(Slice {
                events: SliceEvents::Named(std::mem::take(names)),
                expected_rows: std::mem::take(rows),
                ..whole.clone()
            });
        }
    };
    for (name, &rows) in names {
        let name = EventName::clone(name);
        if autocapture {
            let one = SliceEvents::NamedAutocapture(name);
            slices.extend(parts(whole, &one, rows, most));
        } else if rows > most {
            let one = SliceEvents::Named(vec![name]);
            slices.extend(parts(whole, &one, rows, most));
        } else {
            if small_rows + rows > most || small.len() == MOST_NAMES {
                flush(&mut small, &mut small_rows, &mut slices);
            }
            small.push(name);
            small_rows += rows;
        }
    }
    flush(&mut small, &mut small_rows, &mut slices);
    slices
}

/// One event in as few parts as its rows need; in one when they fit.
fn parts(whole: &Slice, events: &SliceEvents, rows: u64, most: u64) -> Vec<Slice> {
    let of = u32::try_from(rows.div_ceil(most))
        .unwrap_or(u32::MAX)
        .max(1);
    (0..of)
        .map(|index| Slice {
            events: events.clone(),
            part: (of > 1).then_some(SlicePart { index, of }),
            expected_rows: rows.div_ceil(u64::from(of)),
            ..whole.clone()
        })
        .collect()
}
