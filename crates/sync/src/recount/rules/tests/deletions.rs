//! How long an event that PostHog deleted stays here, whenever and on whichever day it is deleted.

use std::collections::BTreeMap;

use domain::storage::DayVerdict;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;

use super::super::{Call, Counts, RECENT_DAYS, Scope, days_due, end_of, judge, utc_day};
use super::at;

const WHOLE_DAY: SignedDuration = SignedDuration::from_hours(24);
/// By so much a run may count later than it was due: so long it reads before.
const UNEVEN: i64 = 10;

/// Runs that are `every` so many minutes apart, and count by so many minutes later.
#[derive(Clone)]
struct Runs<'a> {
    every: i64,
    late: &'a [i64],
    verdicts: BTreeMap<Date, DayVerdict>,
    next: i64,
}

/// Which days an event of theirs is deleted from.
#[derive(Debug, Clone, Copy)]
enum Gone {
    Everywhere,
    Of(Date),
}

impl Gone {
    fn is_of(self, day: Date) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Of(one) => one == day,
        }
    }
}

impl<'a> Runs<'a> {
    fn begun(every: i64, late: &'a [i64]) -> Self {
        Self {
            every,
            late,
            verdicts: BTreeMap::new(),
            next: 0,
        }
    }

    fn now(&self) -> Timestamp {
        let late = self.late[usize::try_from(self.next).unwrap() % self.late.len()];
        at("2026-02-10T09:20:00Z") + SignedDuration::from_mins(self.next * self.every + late)
    }

    /// Makes a run that finds one event of each of these days gone, and returns the days from which it
    /// removes it.
    fn run(&mut self, gone: impl Fn(Date) -> bool) -> Vec<Date> {
        let now = self.now();
        let last = utc_day(now).yesterday().unwrap();
        // Older ones are in scope as well.
        let first = last.saturating_sub((RECENT_DAYS + 2).days());
        let every = SignedDuration::from_mins(self.every);
        let scope = Scope { first, last };
        let mut removed = Vec::new();
        for day in days_due(scope, &self.verdicts, now, every, self.next == 0) {
            let mut counts = Counts {
                remote: 10 - u64::from(gone(day)),
                stored: 10,
                erased: 0,
            };
            let earlier = self.verdicts.get(&day);
            let (mut verdict, call) = judge(day, counts, earlier, false, now);
            if let Call::Removal(surplus) = call {
                counts.stored -= surplus.events;
                verdict = judge(day, counts, earlier, false, now).0;
                removed.push(day);
            }
            self.verdicts.insert(day, verdict);
        }
        self.next += 1;
        removed
    }

    /// How long after `deleted`, at which these runs are, the events of whole days that are gone since then
    /// are here, and those of the day that is not over, after its end.
    fn followed(mut self, deleted: Timestamp, gone: Gone) -> (SignedDuration, SignedDuration) {
        let (mut whole, mut today) = (SignedDuration::ZERO, SignedDuration::ZERO);
        let this_day = utc_day(deleted);
        let first = this_day.saturating_sub(RECENT_DAYS.days());
        let days = first.series(1.day()).take_while(|day| *day <= this_day);
        let mut left: Vec<Date> = days.filter(|day| gone.is_of(*day)).collect();
        while !left.is_empty() {
            let now = self.now();
            assert!(now.duration_since(deleted) < WHOLE_DAY * 4, "{left:?} stay");
            let removed = self.run(|day| left.contains(&day));
            for day in &removed {
                if *day == this_day {
                    today = today.max(now.duration_since(end_of(*day)));
                } else {
                    whole = whole.max(now.duration_since(deleted));
                }
            }
            left.retain(|day| !removed.contains(day));
        }
        (whole, today)
    }

    /// The longest of these times for deletions right after each of so many runs. One at any later minute
    /// before the next run is found by the same counts, and so is here for a shorter time.
    fn longest(mut self, hours: i64) -> (SignedDuration, SignedDuration) {
        let (mut whole, mut today) = (SignedDuration::ZERO, SignedDuration::ZERO);
        while self.next * self.every < hours * 60 {
            let deleted = self.now();
            self.run(|_| false);
            let this_day = utc_day(deleted);
            let old = [0, 1, RECENT_DAYS].map(|age| this_day.saturating_sub(age.days()));
            let single = old.map(Gone::Of);
            for gone in single.into_iter().chain([Gone::Everywhere]) {
                let (of_whole, of_today) = self.clone().followed(deleted, gone);
                whole = whole.max(of_whole);
                today = today.max(of_today);
            }
        }
        (whole, today)
    }
}

#[test]
fn what_is_deleted_at_any_minute_is_gone_within_a_day_where_runs_are_up_to_half_a_day_apart() {
    for every in [20, 60, 90, 120, 240, 360, 480, 720] {
        let runs = Runs::begun(every, &[0]);
        let (whole, _) = runs.longest(if every < 60 { 25 } else { 24 * 14 });
        assert!(whole <= WHOLE_DAY, "every {every} minutes: {whole:?}");
    }
}

#[test]
fn what_is_deleted_on_its_own_day_is_gone_by_the_second_run_after_that_day() {
    let (_, today) = Runs::begun(60, &[0]).longest(24 * 14);
    assert!(today <= SignedDuration::from_hours(2), "{today:?}");
}

#[test]
fn what_is_deleted_goes_with_the_second_run_where_runs_are_further_apart() {
    let (whole, _) = Runs::begun(24 * 60, &[0]).longest(24 * 14);
    assert_eq!(whole, WHOLE_DAY * 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_deletion_is_followed_within_a_day_by_hourly_runs_that_are_not_on_the_minute(
        late in prop::collection::vec(0..=UNEVEN, 23),
    ) {
        let (whole, today) = Runs::begun(60, &late).longest(24 * 6);
        prop_assert!(whole <= WHOLE_DAY, "{whole:?}");
        prop_assert!(today <= SignedDuration::from_hours(3), "{today:?} after the day's end");
    }
}
