//! Makes two slices of one that PostHog could not answer in time or memory.

use jiff::{SignedDuration, Timestamp};

use crate::sync::{Slice, SliceCursor, SlicePart};

/// A shorter slice is halved by distinct ids instead of by time.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A part of this many is not halved: what is still too heavy then will not become lighter.
const MOST_PARTS: u32 = 4096;

/// Two slices that together hold the rows of `slice` that lie after `cursor`, each once: halves by
/// time, at a UTC midnight where one lies between, or by the hash of the distinct id when less than
/// a minute is left. Nothing before the cursor's timestamp is read again, though rows at exactly
/// that instant are. `None` when the slice cannot be made smaller, as one of an export: either half
/// would read the same files.
pub fn halve(slice: &Slice, cursor: Option<SliceCursor>) -> Option<Vec<Slice>> {
    if slice.export.is_some() {
        return None;
    }
    let from = cursor.map_or(slice.from, |cursor| cursor.timestamp.max(slice.from));
    let first = u64::div_ceil(slice.expected_rows, 2);
    let rest = Slice {
        from,
        expected_rows: slice.expected_rows - first,
        ..slice.clone()
    };
    let length = slice.to.duration_since(from);
    let halves = if length >= SHORTEST {
        let middle = middle(from, length);
        [
            Slice {
                to: middle,
                expected_rows: first,
                ..rest.clone()
            },
            Slice {
                from: middle,
                ..rest
            },
        ]
    } else {
        let SlicePart { index, of } = slice.part.unwrap_or(SlicePart { index: 0, of: 1 });
        if of >= MOST_PARTS {
            return None;
        }
        let part = |index| Some(SlicePart { index, of: of * 2 });
        [
            Slice {
                part: part(index * 2),
                expected_rows: first,
                ..rest.clone()
            },
            Slice {
                part: part(index * 2 + 1),
                ..rest
            },
        ]
    };
    Some(halves.to_vec())
}

/// The middle in whole microseconds, or the UTC midnight before it, since PostHog's table is
/// sorted by UTC days.
fn middle(from: Timestamp, length: SignedDuration) -> Timestamp {
    let micros = i64::try_from(length.as_micros() / 2).unwrap_or(i64::MAX);
    let middle = from + SignedDuration::from_micros(micros);
    let since_midnight = middle.as_second().rem_euclid(DAY.as_secs());
    Timestamp::from_second(middle.as_second() - since_midnight)
        .ok()
        .filter(|midnight| *midnight > from)
        .unwrap_or(middle)
}
