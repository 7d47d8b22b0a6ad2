//! What recounts have proven: of a day in some time zone, and of all days together.

use std::collections::BTreeMap;

use domain::day::day_bounds;
use domain::storage::{DayVerdict, Verdict};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::time::{date, timestamp};
use crate::proto::v1;

/// The verdicts of UTC days, asked for by days of a time zone.
#[derive(Debug)]
pub(crate) struct DayVerdicts {
    zone: TimeZone,
    utc_days: BTreeMap<Date, DayVerdict>,
}

impl DayVerdicts {
    /// How far verdicts must be fetched beyond a range of days: zones are up to 26 h apart.
    pub(crate) fn padded(from: Date, to: Date) -> (Date, Date) {
        let pad = Span::new().days(2);
        (from.saturating_sub(pad), to.saturating_add(pad))
    }

    /// Verdicts for days of `zone`.
    pub(crate) fn new(verdicts: Vec<DayVerdict>, zone: TimeZone) -> Self {
        Self {
            zone,
            utc_days: verdicts
                .into_iter()
                .map(|verdict| (verdict.day, verdict))
                .collect(),
        }
    }

    /// The worst verdict of the UTC days that `day` touches; nothing proven while one of them
    /// was never counted.
    pub(crate) fn of(&self, day: Date) -> v1::CompletenessVerdict {
        let Some((first, last)) = self.utc_days_of(day) else {
            return v1::CompletenessVerdict::Unspecified;
        };
        let mut worst = v1::CompletenessVerdict::Verified;
        let mut utc_day = first;
        while utc_day <= last {
            match self.utc_days.get(&utc_day).map(|found| found.verdict) {
                Some(Verdict::Mismatch) => return v1::CompletenessVerdict::Mismatch,
                Some(Verdict::Pending) => worst = v1::CompletenessVerdict::Pending,
                Some(Verdict::Verified) => {}
                None if worst == v1::CompletenessVerdict::Pending => {}
                None => worst = v1::CompletenessVerdict::Unspecified,
            }
            let Ok(next) = utc_day.tomorrow() else { break };
            utc_day = next;
        }
        worst
    }

    /// What recounts found of the UTC days that the days from `first` to `last`, both included, touch.
    pub(crate) fn recounts(&self, first: Date, last: Date) -> Vec<v1::DayRecount> {
        let (Some((from, _)), Some((_, to))) = (self.utc_days_of(first), self.utc_days_of(last))
        else {
            return Vec::new();
        };
        if from > to {
            return Vec::new();
        }
        self.utc_days
            .range(from..=to)
            .map(|(_, found)| recount(found))
            .collect()
    }

    /// The first and the last UTC day that `day` touches.
    fn utc_days_of(&self, day: Date) -> Option<(Date, Date)> {
        let (start, end) = day_bounds(day, &self.zone);
        let last_instant = Timestamp::from_microsecond(end.as_microsecond() - 1).ok()?;
        let utc_day = |at: Timestamp| TimeZone::UTC.to_datetime(at).date();
        (start < end).then(|| (utc_day(start), utc_day(last_instant)))
    }
}

/// A verdict.
fn verdict(verdict: Verdict) -> v1::CompletenessVerdict {
    match verdict {
        Verdict::Verified => v1::CompletenessVerdict::Verified,
        Verdict::Pending => v1::CompletenessVerdict::Pending,
        Verdict::Mismatch => v1::CompletenessVerdict::Mismatch,
    }
}

/// What a recount found.
fn recount(found: &DayVerdict) -> v1::DayRecount {
    v1::DayRecount {
        utc_day: Some(date(found.day)),
        verdict: verdict(found.verdict).into(),
        posthog_events: found.remote,
        stored_events: found.local,
        count_time: Some(timestamp(found.counted_at)),
        erased_events: found.erased,
    }
}

/// How many days have which verdict, and the day on which the numbers are furthest apart.
pub(super) fn completeness(days: &[DayVerdict]) -> v1::Completeness {
    let with = |wanted: Verdict| {
        let count = days.iter().filter(|day| day.verdict == wanted).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    v1::Completeness {
        verified_days: with(Verdict::Verified),
        pending_days: with(Verdict::Pending),
        mismatched_days: with(Verdict::Mismatch),
        worst_day: days
            .iter()
            .filter(|day| day.verdict != Verdict::Verified)
            .max_by_key(|day| day.remote.abs_diff(day.held()))
            .map(|day| v1::WorstDay {
                utc_day: Some(date(day.day)),
                posthog_events: day.remote,
                stored_events: day.local,
                verdict: verdict(day.verdict).into(),
                erased_events: day.erased,
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn counted(text: &str, verdict: Verdict, remote: u64) -> DayVerdict {
        DayVerdict {
            day: day(text),
            remote,
            local: 10,
            erased: 0,
            verdict,
            repulls: 0,
            counted_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_utc_day_has_its_own_verdict() {
        let verdicts = DayVerdicts::new(
            vec![counted("2026-03-01", Verdict::Verified, 10)],
            TimeZone::UTC,
        );
        assert_eq!(
            verdicts.of(day("2026-03-01")),
            v1::CompletenessVerdict::Verified
        );
        assert_eq!(
            verdicts.of(day("2026-03-02")),
            v1::CompletenessVerdict::Unspecified
        );
    }

    #[test]
    fn a_day_elsewhere_is_as_good_as_the_worse_of_two() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let verdicts = DayVerdicts::new(
            vec![
                counted("2026-03-01", Verdict::Verified, 10),
                counted("2026-03-02", Verdict::Verified, 10),
                counted("2026-03-03", Verdict::Pending, 11),
                counted("2026-03-05", Verdict::Mismatch, 12),
            ],
            berlin,
        );
        for (local, wanted) in [
            ("2026-03-01", v1::CompletenessVerdict::Unspecified),
            ("2026-03-02", v1::CompletenessVerdict::Verified),
            ("2026-03-03", v1::CompletenessVerdict::Pending),
            ("2026-03-05", v1::CompletenessVerdict::Mismatch),
        ] {
            assert_eq!(verdicts.of(day(local)), wanted, "{local}");
        }
    }

    #[test]
    fn recounts_are_told_of_every_utc_day_that_a_stretch_touches() {
        let counted_days = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
            .map(|text| counted(text, Verdict::Mismatch, 12));
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let verdicts = DayVerdicts::new(counted_days.to_vec(), berlin);
        let told = verdicts.recounts(day("2026-03-02"), day("2026-03-03"));
        let days: Vec<_> = told.iter().map(|it| it.utc_day.unwrap().day).collect();
        assert_eq!(days, [1, 2, 3]);
        assert_eq!((told[0].posthog_events, told[0].stored_events), (12, 10));
        assert_eq!(told[0].verdict(), v1::CompletenessVerdict::Mismatch);
        assert!(
            verdicts
                .recounts(day("2026-03-09"), day("2026-03-01"))
                .is_empty()
        );
    }

    #[test]
    fn days_of_23_and_25_hours_touch_the_utc_days_that_they_lie_on() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (local, utc) in [("2026-03-29", [28, 29]), ("2026-10-25", [24, 25])] {
            let month = &local[..8];
            let days = (23..=31).map(|it| counted(&format!("{month}{it}"), Verdict::Verified, 10));
            let verdicts = DayVerdicts::new(days.collect(), berlin.clone());
            let told = verdicts.recounts(day(local), day(local));
            let days: Vec<_> = told.iter().map(|it| it.utc_day.unwrap().day).collect();
            assert_eq!(days, utc, "{local}");
            assert_eq!(verdicts.of(day(local)), v1::CompletenessVerdict::Verified);
        }
    }

    #[test]
    fn the_worst_day_is_the_one_furthest_off() {
        let answer = completeness(&[
            counted("2026-03-01", Verdict::Verified, 10),
            counted("2026-03-02", Verdict::Mismatch, 3),
            counted("2026-03-03", Verdict::Pending, 12),
        ]);
        assert_eq!(
            (
                answer.verified_days,
                answer.pending_days,
                answer.mismatched_days
            ),
            (1, 1, 1)
        );
        let worst = answer.worst_day.unwrap();
        assert_eq!(worst.utc_day, Some(date(day("2026-03-02"))));
        assert_eq!((worst.posthog_events, worst.stored_events), (3, 10));
    }
}
