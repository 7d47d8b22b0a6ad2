//! Which days are counted when, over months of hourly runs of which some fail.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;

use super::super::{Scope, days_due, utc_day};
use super::at;
use crate::recount::rules::start_of;
use domain::storage::{DayVerdict, Verdict};

const FIRST: Date = date(2026, 1, 1);

/// Hourly runs, each of which counts what is due and `succeeds` for that hour. Answers the hours at which
/// each day was tried, and whether it was counted.
fn run_hourly(
    hours: i64,
    succeeds: impl Fn(i64, Date) -> bool,
) -> BTreeMap<Date, Vec<(i64, bool)>> {
    run_hourly_from(FIRST, hours, succeeds)
}

/// The same, of days from `first` on.
fn run_hourly_from(
    first: Date,
    hours: i64,
    succeeds: impl Fn(i64, Date) -> bool,
) -> BTreeMap<Date, Vec<(i64, bool)>> {
    let begun = at("2026-02-10T09:20:00Z");
    let mut verdicts: BTreeMap<Date, DayVerdict> = BTreeMap::new();
    let mut tried: BTreeMap<Date, Vec<(i64, bool)>> = BTreeMap::new();
    for hour in 0..hours {
        let now = begun + SignedDuration::from_hours(hour);
        let scope = Scope {
            first,
            last: utc_day(now).yesterday().unwrap(),
        };
        for day in days_due(scope, &verdicts, now, hour == 0) {
            let counted = succeeds(hour, day);
            tried.entry(day).or_default().push((hour, counted));
            if counted {
                verdicts.insert(day, counted_at(day, now));
            }
        }
    }
    tried
}

fn counted_at(day: Date, now: Timestamp) -> DayVerdict {
    DayVerdict {
        day,
        remote: 1,
        local: 1,
        erased: 0,
        verdict: Verdict::Verified,
        repulls: 0,
        counted_at: now,
    }
}

/// The longest time, in hours, that a day went uncounted while it was recent, and while it was older.
fn longest_waits(tried: &BTreeMap<Date, Vec<(i64, bool)>>, hours: i64) -> (i64, i64) {
    let begun = at("2026-02-10T09:20:00Z");
    let (mut recent, mut older) = (0, 0);
    for (day, tries) in tried {
        let hour_of = |at: Timestamp| at.duration_since(begun).as_hours();
        let ended = hour_of(start_of(day.tomorrow().unwrap())).max(0);
        let aged = hour_of(start_of(day.saturating_add(32.days())));
        let counted = tries.iter().filter(|(_, counted)| *counted);
        let mut last = ended;
        for hour in counted.map(|(hour, _)| *hour).chain([hours]) {
            if hour <= aged {
                recent = recent.max(hour - last);
            } else {
                older = older.max(hour - last);
            }
            last = hour;
        }
    }
    (recent, older)
}

#[test]
fn recent_days_are_counted_within_a_day_and_older_ones_within_a_month() {
    let hours = 24 * 120;
    let (recent, older) = longest_waits(&run_hourly(hours, |_, _| true), hours);
    assert!(recent <= 24, "{recent} hours");
    assert!(older <= 24 * 30, "{older} hours");
}

#[test]
fn older_days_are_counted_no_more_often_than_they_must_be() {
    let tried = run_hourly(24 * 120, |_, _| true);
    for day in FIRST.series(1.day()).take(5) {
        let (times, whole) = (tried[&day].len(), 120 / 29 + 1);
        assert!(times <= whole, "{day} was counted {times} times");
    }
}

#[test]
fn a_day_that_was_counted_apart_comes_along_with_the_others_again() {
    let apart = date(2026, 2, 1);
    // Of the first counts that of one day fails, so that it is counted an hour later.
    let tried = run_hourly(24 * 5, |hour, day| hour > 0 || day != apart);
    let other = &tried[&date(2026, 2, 2)];
    assert_eq!(tried[&apart].last(), other.last());
}

#[test]
fn a_day_too_heavy_to_count_is_tried_daily_and_keeps_no_other_back() {
    let heavy = [FIRST, date(2026, 2, 3)];
    let hours = 24 * 60;
    let mut tried = run_hourly(hours, |_, day| !heavy.contains(&day));
    for day in heavy {
        let tries = tried.remove(&day).unwrap().len();
        assert!((60..80).contains(&tries), "{day}: {tries} tries");
    }
    assert!(longest_waits(&tried, hours).0 <= 24);
}

#[test]
fn days_that_an_outage_kept_from_being_counted_are_counted_when_it_ends() {
    let outage = 30..(30 + 24 * 40);
    let end = outage.end;
    let tried = run_hourly(end + 3, |hour, _| !outage.contains(&hour));
    let after = utc_day(at("2026-02-10T09:20:00Z") + SignedDuration::from_hours(end));
    for day in FIRST
        .series(1.day())
        .take_while(|day| *day < after.yesterday().unwrap())
    {
        assert_eq!(tried[&day].last(), Some(&(end, true)), "{day}");
    }
}

proptest! {
    /// Runs fail in part, as throttled ones do: what was not counted is tried again in the next run.
    #[test]
    fn what_a_run_did_not_count_the_next_ones_do(fails in prop::collection::vec(0_u8..4, 24 * 5)) {
        let fails_at = |hour: i64, day: Date| {
            let kind = usize::try_from(hour).ok().and_then(|hour| fails.get(hour)).copied();
            match kind {
                // Two hours in a row always have one that does not fail.
                Some(0) if hour % 2 == 1 => true,
                Some(1) if hour % 2 == 1 => day.day() % 2 == 0,
                _ => false,
            }
        };
        let (first, hours) = (date(2026, 2, 1), 24 * 5);
        let tried = run_hourly_from(first, hours, |hour, day| !fails_at(hour, day));
        let (recent, _) = longest_waits(&tried, hours);
        prop_assert!(recent <= 25, "{} hours", recent);
    }
}
