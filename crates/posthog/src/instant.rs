//! Instants between jiff and PostHog: how bounds are written and how answers are read.

use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

/// A bound for `toDateTime({…}, 'UTC')`: `YYYY-MM-DD HH:MM:SS.ffffff` in UTC. A text of any other
/// shape would match nothing there, silently (POSTHOG.md 5.6). Finer parts than microseconds, which
/// PostHog does not have, are cut off.
pub(crate) fn bound(at: Timestamp) -> String {
    let at = TimeZone::UTC.to_datetime(at);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
        at.year().max(0),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.subsec_nanosecond() / 1000,
    )
}

/// The first instant of a UTC day as a bound.
pub(crate) fn day_bound(day: Date) -> String {
    format!(
        "{:04}-{:02}-{:02} 00:00:00.000000",
        day.year().max(0),
        day.month(),
        day.day()
    )
}

/// Reads a timestamp of an answer: RFC 3339 with `Z` or any offset, or a naive date and time, which
/// is UTC because every query asks for `convertToProjectTimezone: false`. `None` when it is neither
/// or out of range.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    const PARSER: DateTimeParser = DateTimeParser::new();
    if let Ok(at) = PARSER.parse_timestamp(text) {
        return whole_microseconds(at);
    }
    // A civil time must not swallow an offset that the first attempt refused.
    if text.len() > 10 && text[10..].contains(['+', '-', 'Z', 'z', '[']) {
        return None;
    }
    let naive: DateTime = PARSER.parse_datetime(text).ok()?;
    whole_microseconds(TimeZone::UTC.to_timestamp(naive).ok()?)
}

/// Reads a UTC day: its first instant in any form that [`parse`] takes, or the date alone.
pub(crate) fn parse_day(text: &str) -> Option<Date> {
    let at = TimeZone::UTC.to_datetime(parse(text)?);
    (at.time() == jiff::civil::Time::midnight()).then(|| at.date())
}

/// PostHog keeps microseconds; an answer that claims more is not its own.
fn whole_microseconds(at: Timestamp) -> Option<Timestamp> {
    let rounded = at.round(Unit::Microsecond).ok()?;
    (rounded == at).then_some(at)
}
