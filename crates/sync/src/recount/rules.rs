//! When a UTC day is counted, and what follows from its two counts. Pure: the rules that keep
//! a recount from acting on a retention, a partial answer or a single disagreeing count.

use std::collections::BTreeMap;

use domain::day::{day_bounds, day_of};
use domain::storage::{DayVerdict, Verdict};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

/// Days that are counted every day: the last whole one and so many before it.
const RECENT_DAYS: i32 = 30;
/// Older days are counted once in so many days.
const ROTATION: i32 = 30;
/// A day's counts are due again after this: half an hour less than a day, so that an hourly
/// run a little early does not put them off by an hour each day.
const DAILY: SignedDuration = SignedDuration::from_mins(23 * 60 + 30);
/// Events are removed only when two counts at least this far apart agree.
pub(crate) const REMOVAL_PATIENCE: SignedDuration = SignedDuration::from_mins(59);
/// A day is read again at most so often for one remote count.
pub(crate) const MAX_REPULLS: u32 = 2;

/// The UTC days, first and last included, of which both sides can be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The first whole day.
    pub(crate) first: Date,
    /// The last whole day that has been read.
    pub(crate) last: Date,
}

/// What bounds a recount.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Where the earliest complete backfill began.
    pub(crate) covered_from: Timestamp,
    /// Up to where runs have read: the day in which this lies is not whole yet.
    pub(crate) read_to: Timestamp,
    /// Now.
    pub(crate) now: Timestamp,
    /// Days after which events are removed here.
    pub(crate) retention_days: u32,
    /// Months after which PostHog no longer answers with events, where it enforces that.
    pub(crate) project_months: Option<u32>,
}

impl Scope {
    /// The days within all bounds; none when they leave no whole day.
    pub(crate) fn of(bounds: &Bounds) -> Option<Self> {
        let kept_here =
            bounds.now - SignedDuration::from_hours(24 * i64::from(bounds.retention_days));
        let mut from = bounds.covered_from.max(kept_here);
        if let Some(months) = bounds.project_months {
            // The shorter of two readings of a month, and two days more: when exactly PostHog
            // drops a day is not documented, and what it dropped must not look deleted.
            let (today, months) = (utc_day(bounds.now), i64::from(months));
            let by_calendar = today.checked_sub(months.months()).ok()?;
            let by_days = today.checked_sub((30 * months).days()).ok()?;
            let kept_there = by_calendar.max(by_days).checked_add(2.days()).ok()?;
            from = from.max(start_of(kept_there));
        }
        let mut first = utc_day(from);
        if start_of(first) < from {
            first = first.tomorrow().ok()?;
        }
        let last = utc_day(bounds.read_to).yesterday().ok()?;
        (first <= last).then_some(Self { first, last })
    }

    /// Every day of it.
    pub(crate) fn days(self) -> impl Iterator<Item = Date> {
        self.first
            .series(1.day())
            .take_while(move |day| *day <= self.last)
    }
}

/// The days whose counts are due. `all` asks for every day of the scope, as a backfill's end does.
pub(crate) fn days_due(
    scope: Scope,
    earlier: &BTreeMap<Date, DayVerdict>,
    now: Timestamp,
    all: bool,
) -> Vec<Date> {
    scope
        .days()
        .filter(|day| {
            let Some(verdict) = earlier.get(day) else {
                return all || is_in_turn(*day, scope.last);
            };
            let age = now.duration_since(verdict.counted_at);
            match verdict.verdict {
                // Its second recount, or its re-read, is awaited.
                Verdict::Pending => age >= REMOVAL_PATIENCE || verdict.held() < verdict.remote,
                Verdict::Verified | Verdict::Mismatch => {
                    all || (age >= DAILY && is_in_turn(*day, scope.last))
                }
            }
        })
        .collect()
}

fn is_in_turn(day: Date, today: Date) -> bool {
    let age = days_between(day, today);
    age <= RECENT_DAYS || age % ROTATION == 0
}

/// Whether the daily recount is due: the recent days are counted together, so the newest count
/// among the settled ones tells.
pub(crate) fn is_daily_due(earlier: &BTreeMap<Date, DayVerdict>, now: Timestamp) -> bool {
    earlier
        .values()
        .filter(|verdict| verdict.verdict != Verdict::Pending)
        .map(|verdict| verdict.counted_at)
        .max()
        .is_none_or(|at| now.duration_since(at) >= DAILY)
}

/// Whether a day waits for another count.
pub(crate) fn is_pending(verdict: &DayVerdict) -> bool {
    verdict.verdict == Verdict::Pending
}

/// Whether a day is to be read again, and may be.
pub(crate) fn wants_repull(verdict: &DayVerdict) -> bool {
    is_pending(verdict) && verdict.held() < verdict.remote && verdict.repulls < MAX_REPULLS
}

/// What a day's two counts call for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Nothing now.
    Nothing,
    /// Read the day again: events are missing here.
    Repull,
    /// Compare uuids and remove what PostHog no longer has.
    Removal,
}

/// The counts of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Distinct events that PostHog counted.
    pub(crate) remote: u64,
    /// Distinct events stored.
    pub(crate) stored: u64,
    /// Events erased here, which PostHog counts as long as it has them. They are held, like those
    /// stored: that they are not here must not be made good.
    pub(crate) erased: u64,
}

/// Judges a day by its counts. `repulled` says that it was read again since `earlier`.
pub(crate) fn judge(
    day: Date,
    counts: Counts,
    earlier: Option<&DayVerdict>,
    repulled: bool,
    now: Timestamp,
) -> (DayVerdict, Call) {
    let (remote, held) = (counts.remote, counts.stored + counts.erased);
    let same = earlier.filter(|v| v.remote == remote && v.verdict != Verdict::Verified);
    let repulls = same.map_or(0, |v| v.repulls + u32::from(repulled));
    let (verdict, call) = match held.cmp(&remote) {
        std::cmp::Ordering::Equal => (Verdict::Verified, Call::Nothing),
        std::cmp::Ordering::Less if repulls >= MAX_REPULLS => (Verdict::Mismatch, Call::Nothing),
        std::cmp::Ordering::Less => (Verdict::Pending, Call::Repull),
        std::cmp::Ordering::Greater => {
            let agreed = same.is_some_and(|v| {
                v.held() > v.remote && now.duration_since(v.counted_at) >= REMOVAL_PATIENCE
            });
            let call = if agreed { Call::Removal } else { Call::Nothing };
            (Verdict::Pending, call)
        }
    };
    // The hour between two agreeing counts begins with the first of them.
    let waits = verdict == Verdict::Pending && call == Call::Nothing;
    let counted_at = match same {
        Some(first) if waits && first.held() > first.remote => first.counted_at,
        _ => now,
    };
    let repulls = if verdict == Verdict::Verified {
        0
    } else {
        repulls
    };
    let judged = DayVerdict {
        day,
        remote,
        local: counts.stored,
        erased: counts.erased,
        verdict,
        repulls,
        counted_at,
    };
    (judged, call)
}

/// The UTC day on which `at` falls.
fn utc_day(at: Timestamp) -> Date {
    day_of(at, &TimeZone::UTC)
}

/// The first instant of a UTC day.
fn start_of(day: Date) -> Timestamp {
    day_bounds(day, &TimeZone::UTC).0
}

fn days_between(earlier: Date, later: Date) -> i32 {
    (later - earlier).get_days()
}

#[cfg(test)]
mod tests;
