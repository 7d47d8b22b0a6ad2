//! What a run must have read, and when the next one is due (DESIGN.md "Windows" and "Timetable").

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::day::{day_bounds, day_of};
use crate::sync::{Arrivals, Window};

/// How far back arrivals are looked for at least, and how long a pause they can bridge.
pub const ARRIVALS_REACH: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How far before the start of the last run PostHog may have stamped a row that it did not show yet.
pub const ARRIVALS_OVERLAP: SignedDuration = SignedDuration::from_hours(2);

/// The last complete run of a connection, backfill or refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// Where its window ended.
    pub to: Timestamp,
    /// When it began, by our clock.
    pub started_at: Timestamp,
}

/// The window of a backfill of `days` that starts `now`, from the beginning of the UTC day in which they
/// begin, since only whole days can be compared with PostHog's. It needs no arrivals, for it reads all.
pub fn backfill(now: Timestamp, days: u32) -> Window {
    let first = day_of(before(now, of_days(days)), &TimeZone::UTC);
    Window {
        from: day_bounds(first, &TimeZone::UTC).0,
        to: now,
    }
}

/// The window of a refresh that starts `now`, and the late arrivals that it takes too: those
/// stamped within the last 30 days, or `backfill_days` if that is more, that PostHog took in since
/// the last run. There are none without a last run, and none where the window reaches as far back.
pub fn refresh(
    now: Timestamp,
    lookback: SignedDuration,
    backfill_days: u32,
    last: Option<LastRun>,
) -> (Window, Option<Arrivals>) {
    let from = before(now, lookback);
    let window = Window {
        from: last.map_or(from, |last| from.min(last.to)),
        to: now,
    };
    let arrivals = last
        .map(|last| Arrivals {
            from: before(now, ARRIVALS_REACH.max(of_days(backfill_days))),
            since: before(last.started_at, ARRIVALS_OVERLAP),
        })
        .filter(|arrivals| arrivals.from < window.from);
    (window, arrivals)
}

/// Whether a connection needs a backfill: it never had a complete run, or the last one is so long
/// ago that arrivals cannot tell what came in since.
pub fn is_backfill_due(now: Timestamp, last: Option<LastRun>) -> bool {
    last.is_none_or(|last| now.duration_since(last.to) > ARRIVALS_REACH)
}

/// The first tick after `after`. Ticks are `interval` apart (whole seconds, 1 or more) and the same
/// whenever they are asked for; `owner`, the object's UID or the connection's id, decides where
/// within the interval they lie, so that connections do not all run at once.
pub fn next_tick(owner: Uuid, interval: SignedDuration, after: Timestamp) -> Timestamp {
    let interval = i128::from(interval.as_secs().max(1));
    // The low 62 bits of a UUID are random or a hash, whatever its version.
    let offset = i128::try_from(owner.as_u128() & (u128::MAX >> 66)).unwrap_or_default() % interval;
    let after_second = i128::from(after.as_second());
    // `as_second` cuts towards zero, so that before 1970 it may already lie after `after`.
    let floor = after_second - i128::from(after.subsec_nanosecond() < 0);
    let ticks = (floor - offset).div_euclid(interval) + 1;
    i64::try_from(ticks * interval + offset)
        .ok()
        .and_then(|second| Timestamp::from_second(second).ok())
        .unwrap_or(Timestamp::MAX)
}

fn of_days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
