//! Splits a day that is too large for one slice: by events, and a single large event by the hash
//! of its distinct ids.

use super::plan::Names;
use super::{Load, RowBytes};
use crate::event::EventName;
use crate::sync::{Slice, SliceEvents, SlicePart};

/// The most names that one slice lists, so that a query stays short.
const MOST_NAMES: usize = 200;

/// Slices like `whole` that fit and hold the counted events of its day: neighbours by name
/// together, for so PostHog's table is sorted.
pub(super) fn split_day(whole: &Slice, names: &Names<'_>, row_bytes: RowBytes) -> Vec<Slice> {
    let mut slices = Vec::new();
    let mut small: Vec<EventName> = Vec::new();
    let mut held = Load::default();
    let flush = |names: &mut Vec<EventName>, held: &mut Load, slices: &mut Vec<Slice>| {
        if !names.is_empty() {
            slices.push(Slice {
                events: SliceEvents::Named(std::mem::take(names)),
                expected_rows: std::mem::take(held).rows,
                ..whole.clone()
            });
        }
    };
    for (&name, &rows) in names {
        let load = row_bytes.load(name, rows);
        if !load.fits() {
            slices.extend(parts(whole, name, rows, row_bytes.most_rows(name)));
            continue;
        }
        if !held.plus(load).fits() || small.len() == MOST_NAMES {
            flush(&mut small, &mut held, &mut slices);
        }
        small.push(name.clone());
        held = held.plus(load);
    }
    flush(&mut small, &mut held, &mut slices);
    slices
}

/// One event in as few parts as its rows need.
fn parts(whole: &Slice, name: &EventName, rows: u64, most: u64) -> Vec<Slice> {
    let of = u32::try_from(rows.div_ceil(most)).unwrap_or(u32::MAX);
    (0..of)
        .map(|index| Slice {
            events: SliceEvents::Named(vec![name.clone()]),
            part: (of > 1).then_some(SlicePart { index, of }),
            expected_rows: rows.div_ceil(u64::from(of)),
            ..whole.clone()
        })
        .collect()
}
