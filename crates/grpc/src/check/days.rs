//! Days and ranges of them.

use jiff::Span;
use jiff::civil::Date;

use crate::errors::ApiError;
use crate::proto::v1;

/// The most days of one answer: more than the longest backfill and the default retention.
const MAX_DAYS: i32 = 400;

/// The days of an answer when a request does not say where they begin: those of the first backfill.
const DEFAULT_DAYS: i64 = 30;

/// The days `[from, to)`, one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayRange {
    /// The first day.
    pub(crate) from: Date,
    /// The day after the last.
    pub(crate) to: Date,
}

/// The days that a request names, before it is known which day is today where they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AskedDays {
    from: Option<Date>,
    to: Option<Date>,
}

/// `start_date` and `end_date` of a request; either may be left out.
pub(crate) fn check_days(
    start: Option<v1::Date>,
    end: Option<v1::Date>,
) -> Result<AskedDays, ApiError> {
    let from = start
        .map(|date| check_date("start_date", date))
        .transpose()?;
    let to = end.map(|date| check_date("end_date", date)).transpose()?;
    if let (Some(from), Some(to)) = (from, to) {
        check_range(from, to)?;
    }
    Ok(AskedDays { from, to })
}

impl AskedDays {
    /// The days, with what was left out: up to the end of today, and [`DEFAULT_DAYS`] of them.
    pub(crate) fn as_of(self, today: Date) -> Result<DayRange, ApiError> {
        let to = self
            .to
            .unwrap_or_else(|| today.saturating_add(Span::new().days(1)));
        let from = self
            .from
            .unwrap_or_else(|| to.saturating_sub(Span::new().days(DEFAULT_DAYS)));
        check_range(from, to)
    }
}

fn check_range(from: Date, to: Date) -> Result<DayRange, ApiError> {
    let days = (to - from).get_days();
    if days < 1 {
        return Err(ApiError::field(
            "end_date",
            format!(
                "is {to}, which must be later than start_date, {from}: it is the day after the last one, and tomorrow when unset"
            ),
        ));
    }
    if days > MAX_DAYS {
        return Err(ApiError::field(
            "end_date",
            format!(
                "is {to}, {days} days after start_date, {from}: ask for {MAX_DAYS} days at most"
            ),
        ));
    }
    Ok(DayRange { from, to })
}

fn check_date(field: &str, date: v1::Date) -> Result<Date, ApiError> {
    let v1::Date { year, month, day } = date;
    let civil = || {
        let year = i16::try_from(year).ok().filter(|year| *year >= 1)?;
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    civil().ok_or_else(|| {
        ApiError::field(
            field,
            format!("is {year}-{month}-{day}, which is no day: write a year from 1 to 9999, a month and a day of it"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i32, month: i32, day: i32) -> Option<v1::Date> {
        Some(v1::Date { year, month, day })
    }

    /// The range as of the first of March 2026.
    fn range(start: Option<v1::Date>, end: Option<v1::Date>) -> Result<DayRange, ApiError> {
        check_days(start, end)?.as_of(Date::constant(2026, 3, 1))
    }

    #[test]
    fn a_range_ends_before_its_end_date() {
        let range = range(date(2026, 2, 28), date(2026, 3, 1)).unwrap();
        assert_eq!((range.to - range.from).get_days(), 1);
    }

    #[test]
    fn what_is_left_out_makes_the_last_thirty_days() {
        let days = |from, to| DayRange { from, to };
        let civil = Date::constant;
        for (start, end, expected) in [
            (None, None, days(civil(2026, 1, 31), civil(2026, 3, 2))),
            (
                date(2026, 3, 1),
                None,
                days(civil(2026, 3, 1), civil(2026, 3, 2)),
            ),
            (
                None,
                date(2025, 12, 31),
                days(civil(2025, 12, 1), civil(2025, 12, 31)),
            ),
            (None, date(1, 1, 2), days(civil(0, 12, 3), civil(1, 1, 2))),
        ] {
            assert_eq!(range(start, end).unwrap(), expected);
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for bad in [
            date(0, 1, 1),
            date(2026, 2, 29),
            date(2026, 13, 1),
            date(2026, 1, 0),
            date(i32::MAX, 1, 1),
            date(2026, 300, 300),
        ] {
            assert!(check_days(bad, date(2026, 3, 1)).is_err(), "{bad:?}");
            assert!(check_days(bad, None).is_err(), "{bad:?}");
            assert!(check_days(None, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_range_is_neither_empty_nor_endless() {
        assert!(check_days(date(2026, 3, 1), date(2026, 3, 1)).is_err());
        assert!(check_days(date(2026, 3, 2), date(2026, 3, 1)).is_err());
        assert!(check_days(date(2025, 1, 1), date(2026, 2, 5)).is_ok());
        assert!(check_days(date(2025, 1, 1), date(2026, 2, 6)).is_err());
        assert!(range(date(2026, 3, 2), None).is_err());
        assert!(range(date(2024, 3, 2), None).is_err());
    }
}
