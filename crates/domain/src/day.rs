//! Calendar days of a time zone as half-open ranges of instants, right across DST.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The IANA time zones whose days can be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("timeZone {0:?} is not an IANA time zone: write one such as Europe/Berlin")]
pub struct UnknownTimeZone(pub String);

/// Looks a zone up in the database compiled into the program, the same on every machine.
///
/// # Errors
/// [`UnknownTimeZone`] when there is none of that name.
pub fn time_zone(name: &str) -> Result<TimeZone, UnknownTimeZone> {
    TimeZone::get(name).map_err(|_| UnknownTimeZone(name.to_owned()))
}

/// The day in `zone` on which `at` falls.
pub fn day_of(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at).date()
}
