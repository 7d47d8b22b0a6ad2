//! Which days are counted when, over months of runs of which some fail.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use domain::storage::{DayVerdict, Verdict};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;

use super::super::{Scope, daily, days_due, start_of, utc_day};
use super::at;

/// Runs of which the first, at hour 0, asks for every day, as a backfill's end does.
#[derive(Clone, Copy)]
struct Runs {
    first_day: Date,
    /// Hours between them.
    every: i64,
    hours: i64,
}

/// The hours at which each day was tried, and whether it was counted.
type Tries = BTreeMap<Date, Vec<(i64, bool)>>;

const HOURLY: Runs = Runs {
    first_day: date(2026, 1, 1),
    every: 1,
    hours: 24 * 120,
};

fn begun() -> Timestamp {
    at("2026-02-10T09:20:00Z")
}

impl Runs {
    /// Each run counts what is due and `succeeds` for that hour.
    fn tries(self, succeeds: impl Fn(i64, Date) -> bool) -> Tries {
        let every = usize::try_from(self.every).unwrap();
        let mut verdicts: BTreeMap<Date, DayVerdict> = BTreeMap::new();
        let mut tries = Tries::new();
        for hour in (0..self.hours).step_by(every) {
            let now = begun() + SignedDuration::from_hours(hour);
            let interval = SignedDuration::from_hours(self.every);
            let scope = Scope {
                first: self.first_day,
                last: utc_day(now).yesterday().unwrap(),
            };
            for day in days_due(scope, &verdicts, now, interval, hour == 0) {
                let counted = succeeds(hour, day);
                tries.entry(day).or_default().push((hour, counted));
                if counted {
                    verdicts.insert(day, counted_at(day, now));
                }
            }
        }
        tries
    }

    /// The longest time, in hours, that a day went uncounted while it was recent, and while it was older.
    fn longest_waits(self, tries: &Tries) -> (i64, i64) {
        let (mut recent, mut older) = (0, 0);
        for (day, tries) in tries {
            let hour_of = |at: Timestamp| at.duration_since(begun()).as_hours();
            let ended = hour_of(start_of(day.tomorrow().unwrap())).max(0);
            let aged = hour_of(start_of(day.saturating_add(32.days())));
            let counted = tries.iter().filter(|(_, counted)| *counted);
            let mut last = ended;
            for hour in counted.map(|(hour, _)| *hour).chain([self.hours]) {
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

#[test]
fn recent_days_are_counted_within_a_day_and_older_ones_within_a_month() {
    let (recent, older) = HOURLY.longest_waits(&HOURLY.tries(|_, _| true));
    assert!(recent <= 24, "{recent} hours");
    assert!(older <= 24 * 30, "{older} hours");
}

#[test]
fn a_day_that_ended_is_counted_by_the_next_run() {
    let tries = HOURLY.tries(|_, _| true);
    let ended = tries.iter().filter(|(day, _)| **day >= utc_day(begun()));
    for (day, tries) in ended {
        let ended = start_of(day.tomorrow().unwrap()).duration_since(begun());
        assert_eq!(tries[0].0, ended.as_hours() + 1, "{day}");
    }
}

#[test]
fn recent_days_are_counted_about_twice_a_day_together() {
    let tries = HOURLY.tries(|_, _| true);
    let mut runs: BTreeMap<i64, usize> = BTreeMap::new();
    for (hour, _) in tries.values().flatten() {
        *runs.entry(*hour).or_default() += 1;
    }
    // Queries of a recent day alone, or of all of them, or all but one.
    assert!(
        runs.len() <= 120 * 9 / 4,
        "{} runs with a recount",
        runs.len()
    );
}

#[test]
fn older_days_are_counted_no_more_often_than_they_must_be() {
    let tries = HOURLY.tries(|_, _| true);
    for day in HOURLY.first_day.series(1.day()).take(5) {
        let (times, whole) = (tries[&day].len(), 120 / 29 + 1);
        assert!(times <= whole, "{day} was counted {times} times");
    }
}

#[test]
fn a_day_that_was_counted_apart_comes_along_with_the_others_again() {
    let runs = Runs {
        hours: 24 * 5,
        ..HOURLY
    };
    let apart = date(2026, 2, 1);
    let mut tries = runs.tries(|hour, day| hour > 0 || day != apart);
    let apart = tries.remove(&apart).unwrap();
    assert_eq!(apart[..2], [(0, false), (1, true)]);
    assert_eq!(apart.last(), tries[&date(2026, 2, 2)].last());
}

#[test]
fn what_was_not_counted_is_tried_by_the_next_run_however_far_apart_they_are() {
    let late = date(2026, 2, 1);
    for every in [1, 6, 8, 12, 24] {
        let runs = Runs {
            every,
            hours: 24 * 4,
            ..HOURLY
        };
        // Not when others take it along, and not when it is due itself.
        let due = daily(SignedDuration::from_hours(every));
        let is_due = |hour| SignedDuration::from_hours(hour) >= due;
        let failed = Cell::new(None);
        let tries = runs.tries(|hour, day| {
            if day != late || hour == 0 || failed.get().is_some() {
                return true;
            }
            failed.set(Some(hour).filter(|hour| is_due(*hour)));
            false
        });
        let failed = failed.get().unwrap();
        let next = tries[&late].iter().find(|(hour, _)| *hour > failed);
        assert_eq!(next, Some(&(failed + every, true)), "every {every} hours");
    }
}

#[test]
fn a_day_too_heavy_to_count_is_tried_a_few_times_a_day_and_keeps_no_other_back() {
    let heavy = [HOURLY.first_day, date(2026, 2, 3)];
    let mut tries = HOURLY.tries(|_, day| !heavy.contains(&day));
    for day in heavy {
        let times = tries.remove(&day).unwrap().len();
        assert!((120..120 * 5).contains(&times), "{day}: {times} tries");
    }
    assert!(HOURLY.longest_waits(&tries).0 <= 24);
}

#[test]
fn days_that_an_outage_kept_from_being_counted_are_counted_when_it_ends() {
    let outage = 30..(30 + 24 * 40);
    let end = outage.end;
    let runs = Runs {
        hours: end + 3,
        ..HOURLY
    };
    let tries = runs.tries(|hour, _| !outage.contains(&hour));
    let after = utc_day(begun() + SignedDuration::from_hours(end));
    let last = after.yesterday().unwrap();
    let days = runs.first_day.series(1.day());
    for day in days.take_while(|day| *day < last) {
        assert_eq!(tries[&day].last(), Some(&(end, true)), "{day}");
    }
}

proptest! {
    /// Each time that a day is due, some tries fail, as throttled ones do: the next runs make it good.
    #[test]
    fn what_a_run_did_not_count_the_next_ones_do(fails in prop::collection::vec(0_u8..3, 7)) {
        let runs = Runs { first_day: date(2026, 2, 1), hours: 24 * 5, ..HOURLY };
        let failed: RefCell<BTreeMap<Date, u8>> = RefCell::default();
        let failures = Cell::new(0);
        let tries = runs.tries(|_, day| {
            let mut failed = failed.borrow_mut();
            let times = failed.entry(day).or_default();
            // One at least fails each time.
            let most = match day.day() {
                5 => 1,
                other => fails[usize::try_from(other).unwrap() % fails.len()],
            };
            if *times < most {
                *times += 1;
                failures.set(failures.get() + 1);
                return false;
            }
            *times = 0;
            true
        });
        prop_assert!(failures.get() >= 5, "{} failures", failures.get());
        let (recent, _) = runs.longest_waits(&tries);
        prop_assert!(recent <= 24 + 2, "{} hours", recent);
    }
}
