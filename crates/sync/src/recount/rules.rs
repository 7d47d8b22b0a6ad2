//! When a UTC day is counted, and what follows from its two counts. Pure: the rules that keep
//! a recount from acting on a retention, a partial answer or a single disagreeing count.

use std::collections::BTreeMap;

use domain::check::posthog_keeps_from;
use domain::day::{day_bounds, day_of};
use domain::storage::{DayVerdict, Verdict};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

/// Days that are counted every day: the last whole one and so many before it.
const RECENT_DAYS: i32 = 30;
/// The time in which a recent day is counted, and counted again where a removal waits for that: a day, less an
/// hour for a second count that came a little too soon and half an hour for runs that are not on the minute.
const FOLLOWED: SignedDuration = SignedDuration::from_mins(22 * 60 + 30);
/// Runs that are further apart than this cannot keep that.
const LONGEST_INTERVAL: SignedDuration = SignedDuration::from_hours(12);
/// Recent days that were counted so long ago are counted along with one that is due: together they are
/// one query. Where recounts are more frequent, all of them are.
const ALONG: SignedDuration = SignedDuration::from_hours(12);
/// An older day is counted along with a daily recount after this: two days less than the 31 within which
/// a deletion is followed, for one that fails and for the second count.
const ROTATION: SignedDuration = SignedDuration::from_hours(29 * 24);
/// How long runs try to count a day that is due, by the hour; the next run tries it in any case.
const RETRIED: SignedDuration = SignedDuration::from_hours(3);
/// Events of a day are still on their way so long after its end that a count of more than are held here
/// says nothing yet.
const SETTLES: SignedDuration = SignedDuration::from_hours(3);
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
        let kept_there = start_of(posthog_keeps_from(bounds.project_months, bounds.now));
        let from = bounds.covered_from.max(kept_here).max(kept_there);
        let mut first = utc_day(from);
        if start_of(first) < from {
            first = first.tomorrow().ok()?;
        }
        let last = utc_day(bounds.read_to).yesterday().ok()?;
        (first <= last).then_some(Self { first, last })
    }

    /// Whether a day is counted daily.
    fn is_recent(self, day: Date) -> bool {
        (self.last - day).get_days() <= RECENT_DAYS
    }

    /// Every day of it.
    pub(crate) fn days(self) -> impl Iterator<Item = Date> + Clone {
        self.first
            .series(1.day())
            .take_while(move |day| *day <= self.last)
    }
}

/// The days whose counts are due, each by its own last count. `all` asks for every day of the scope, as a
/// backfill's end does; runs are `interval` apart.
pub(crate) fn days_due(
    scope: Scope,
    earlier: &BTreeMap<Date, DayVerdict>,
    now: Timestamp,
    interval: SignedDuration,
    all: bool,
) -> Vec<Date> {
    let daily = daily(interval);
    let counted_for =
        |day: Date| Some(now.duration_since(earlier.get(&day).map(|verdict| verdict.counted_at)?));
    // By so much a day's count is overdue. What was never counted is due from its end, and if that did not
    // come to anything once more a period later.
    let overdue = |day: Date| {
        let ended_for = now.duration_since(end_of(day));
        match counted_for(day) {
            Some(age) => age - daily,
            None if ended_for >= daily => ended_for - daily,
            None => ended_for,
        }
    };
    let pending = |day: Date| earlier.get(&day).filter(|verdict| is_pending(verdict));
    let settled_recently = scope
        .days()
        .filter(|day| scope.is_recent(*day) && pending(*day).is_none());
    // The last day is counted apart, when it has ended: that is no recount of the others.
    let newest = settled_recently
        .clone()
        .filter(|day| *day != scope.last)
        .filter_map(counted_for)
        .min();
    let overdue: Vec<SignedDuration> = settled_recently.map(overdue).collect();
    let is_daily_due = is_daily_due(&overdue, newest, interval);
    scope
        .days()
        .filter(|day| {
            let Some(age) = counted_for(*day) else {
                return all || is_daily_due;
            };
            if let Some(verdict) = pending(*day) {
                // Its second recount, or its re-read, is awaited.
                return age >= REMOVAL_PATIENCE || verdict.held() < verdict.remote;
            }
            let wait = if scope.is_recent(*day) {
                ALONG.min(daily)
            } else {
                ROTATION
            };
            all || (is_daily_due && age >= wait)
        })
        .collect()
}

/// The time after which a recent day's counts are due again, so that a deletion is found and the next run
/// confirms it within [`FOLLOWED`]. Runs too far apart for that count each time.
fn daily(interval: SignedDuration) -> SignedDuration {
    // Counts that confirm each other are an hour apart, however frequent runs are.
    let interval = interval.clamp(SignedDuration::from_hours(1), LONGEST_INTERVAL);
    (FOLLOWED - interval * 2).max(interval - SignedDuration::from_mins(30))
}

/// Whether the daily recount is due, by how much each recent day is overdue, and by the time since the `newest`
/// of these counts. A day that was not counted when it was due, or when others were, asks for it for some
/// hours, and then waits for the others: it may be too heavy for PostHog.
fn is_daily_due(
    overdue: &[SignedDuration],
    newest: Option<SignedDuration>,
    interval: SignedDuration,
) -> bool {
    let is_due = |overdue: SignedDuration| overdue >= SignedDuration::ZERO;
    let retried = RETRIED.max(interval + SignedDuration::from_hours(1));
    let is_retry = newest.is_some_and(|newest| newest < retried);
    let asks = |overdue: SignedDuration| is_due(overdue) && (overdue < retried || is_retry);
    let is_each_due = overdue.iter().all(|overdue| is_due(*overdue));
    overdue.iter().any(|overdue| is_each_due || asks(*overdue))
}

/// Whether a day waits for another count.
fn is_pending(verdict: &DayVerdict) -> bool {
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
    Removal(Surplus),
}

/// What two counts agree is held here and no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Surplus {
    /// So many events.
    pub(crate) events: u64,
    /// When the first of the counts was made: what arrived later was not a part of it.
    pub(crate) since: Timestamp,
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

impl Counts {
    /// Events that are not missing here.
    fn held(&self) -> u64 {
        self.stored + self.erased
    }

    /// Whether a day's first count says nothing yet: PostHog has more, and soon after the day's end that may
    /// be what came since the run read. The next run reads it and counts anew.
    pub(crate) fn are_settling(&self, day: Date, now: Timestamp) -> bool {
        self.held() < self.remote && now.duration_since(end_of(day)) < SETTLES
    }
}

/// Judges a day by its counts. `repulled` says that it was read again since `earlier`.
pub(crate) fn judge(
    day: Date,
    counts: Counts,
    earlier: Option<&DayVerdict>,
    repulled: bool,
    now: Timestamp,
) -> (DayVerdict, Call) {
    let (remote, held) = (counts.remote, counts.held());
    let same = earlier.filter(|v| v.remote == remote && v.verdict != Verdict::Verified);
    let repulls = same.map_or(0, |v| v.repulls + u32::from(repulled));
    // Late events raise both sides alike, so it is the difference that two counts have in common.
    let surplus = held.saturating_sub(remote);
    let first = earlier.filter(|v| surplus > 0 && v.held().saturating_sub(v.remote) == surplus);
    let (verdict, call) = match held.cmp(&remote) {
        std::cmp::Ordering::Equal => (Verdict::Verified, Call::Nothing),
        std::cmp::Ordering::Less if repulls >= MAX_REPULLS => (Verdict::Mismatch, Call::Nothing),
        std::cmp::Ordering::Less => (Verdict::Pending, Call::Repull),
        std::cmp::Ordering::Greater => {
            let agreed = first.filter(|v| now.duration_since(v.counted_at) >= REMOVAL_PATIENCE);
            let call = agreed.map_or(Call::Nothing, |first| {
                Call::Removal(Surplus {
                    events: surplus,
                    since: first.counted_at,
                })
            });
            (Verdict::Pending, call)
        }
    };
    // The hour between two agreeing counts begins with the first of them.
    let counted_at = match first {
        Some(first) if call == Call::Nothing => first.counted_at,
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

/// The first instant after a UTC day.
fn end_of(day: Date) -> Timestamp {
    day_bounds(day, &TimeZone::UTC).1
}

#[cfg(test)]
mod tests;
