//! How instants, days, numbers and structures are written in columns: the same in every store.

use domain::storage::Result;
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failures::corrupt;

/// Microseconds in a UTC day.
pub(crate) const DAY: i64 = 86_400_000_000;

const FIRST_DAY: Date = jiff::civil::date(1970, 1, 1);

/// Microseconds since 1970, which is all the precision that PostHog has.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The instant of that many microseconds since 1970.
pub(crate) fn instant(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(corrupt)
}

/// As [`instant`], where the column may be null.
pub(crate) fn instant_or_none(micros: Option<i64>) -> Result<Option<Timestamp>> {
    micros.map(instant).transpose()
}

/// Days since 1970-01-01; negative before.
pub(crate) fn day_number(day: Date) -> i64 {
    FIRST_DAY.duration_until(day).as_hours() / 24
}

/// The day of that number.
pub(crate) fn day(number: i64) -> Result<Date> {
    Span::new()
        .try_days(number)
        .and_then(|days| FIRST_DAY.checked_add(days))
        .map_err(corrupt)
}

/// A count as databases keep it.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as a database gave it.
pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// A row limit as databases take it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// A structure as JSON text.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(corrupt)
}

/// The structure that [`to_json`] wrote.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_day_is_numbered_from_1970_and_read_back() {
        for (expected, given) in [
            (0, date(1970, 1, 1)),
            (-1, date(1969, 12, 31)),
            (20_000, date(2024, 10, 4)),
            (-719_162, date(1, 1, 1)),
            (2_932_896, date(9999, 12, 31)),
        ] {
            assert_eq!(day_number(given), expected);
            assert_eq!(day(expected).unwrap(), given);
        }
    }
}
