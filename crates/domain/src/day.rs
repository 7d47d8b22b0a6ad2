//! Calendar days of a time zone as half-open ranges of instants, right across DST.

mod edges;

use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

pub use self::edges::DayEdges;

/// A name that is not among the IANA time zones whose days can be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("timeZone {0:?} is not an IANA time zone: write one such as Europe/Berlin")]
pub struct UnknownTimeZone(pub String);

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Looks a zone up in the database compiled into the program, the same on every machine.
///
/// # Errors
/// [`UnknownTimeZone`] when there is none of that name.
pub fn time_zone(name: &str) -> Result<TimeZone, UnknownTimeZone> {
    ZONES
        .get(name)
        .ok()
        .filter(|zone| !zone.is_unknown())
        .ok_or_else(|| UnknownTimeZone(name.to_owned()))
}

/// The day in `zone` on which `at` falls: the one whose [`day_bounds`] hold it.
pub fn day_of(at: Timestamp, zone: &TimeZone) -> Date {
    let by_clock = zone.to_datetime(at).date();
    match by_clock.tomorrow() {
        // A clock put back over midnight shows yesterday again; the new day has begun all the same.
        Ok(next) if start_of(next, zone) <= at => next,
        _ => by_clock,
    }
}

/// The instants `[start, end)` of a day in `zone`. Days follow each other without gap or overlap:
/// each begins when the clock first reaches it. A day that the zone skipped is empty.
pub fn day_bounds(day: Date, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let end = day
        .tomorrow()
        .map_or(Timestamp::MAX, |next| start_of(next, zone));
    (start_of(day, zone), end)
}

/// When the clock of `zone` first shows `day`, or first shows a later day if it skips this one.
fn start_of(day: Date, zone: &TimeZone) -> Timestamp {
    let midnight = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0));
    let in_gap = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
    let Ok(start) = midnight.compatible() else {
        let beyond = day > zone.to_datetime(Timestamp::UNIX_EPOCH).date();
        return if beyond {
            Timestamp::MAX
        } else {
            Timestamp::MIN
        };
    };
    if !in_gap {
        return start;
    }
    // The gap may have opened before midnight: the day begins where it ends, at the transition.
    let just_after = start
        .checked_add(SignedDuration::from_nanos(1))
        .unwrap_or(start);
    zone.preceding(just_after)
        .next()
        .map_or(start, |transition| transition.timestamp())
}

#[cfg(test)]
mod tests;
