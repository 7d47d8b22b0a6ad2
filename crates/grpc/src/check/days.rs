//! Days and ranges of them.

use jiff::civil::Date;

use crate::errors::ApiError;
use crate::proto::v1;

/// The most days of one answer: more than the longest backfill and the default retention.
const MAX_DAYS: i32 = 400;

/// The days `[from, to)`, one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayRange {
    /// The first day.
    pub(crate) from: Date,
    /// The day after the last.
    pub(crate) to: Date,
}

/// `start_date` and `end_date` of a request.
pub(crate) fn check_days(
    start: Option<v1::Date>,
    end: Option<v1::Date>,
) -> Result<DayRange, ApiError> {
    let from = check_date("start_date", start)?;
    let to = check_date("end_date", end)?;
    let days = (to - from).get_days();
    if days < 1 {
        return Err(ApiError::field(
            "end_date",
            format!(
                "is {to}, which must be later than start_date, {from}: it is the day after the last one"
            ),
        ));
    }
    if days > MAX_DAYS {
        return Err(ApiError::field(
            "end_date",
            format!("is {days} days after start_date: ask for {MAX_DAYS} days at most"),
        ));
    }
    Ok(DayRange { from, to })
}

fn check_date(field: &str, date: Option<v1::Date>) -> Result<Date, ApiError> {
    let Some(v1::Date { year, month, day }) = date else {
        return Err(ApiError::field(
            field,
            "is missing: write a day, such as {year: 2026, month: 3, day: 14}",
        ));
    };
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

    #[test]
    fn a_range_ends_before_its_end_date() {
        let range = check_days(date(2026, 2, 28), date(2026, 3, 1)).unwrap();
        assert_eq!((range.to - range.from).get_days(), 1);
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for bad in [
            None,
            date(0, 1, 1),
            date(2026, 2, 29),
            date(2026, 13, 1),
            date(2026, 1, 0),
            date(i32::MAX, 1, 1),
            date(2026, 300, 300),
        ] {
            assert!(check_days(bad, date(2026, 3, 1)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_range_is_neither_empty_nor_endless() {
        assert!(check_days(date(2026, 3, 1), date(2026, 3, 1)).is_err());
        assert!(check_days(date(2026, 3, 2), date(2026, 3, 1)).is_err());
        assert!(check_days(date(2025, 1, 1), date(2026, 2, 5)).is_ok());
        assert!(check_days(date(2025, 1, 1), date(2026, 2, 6)).is_err());
    }
}
