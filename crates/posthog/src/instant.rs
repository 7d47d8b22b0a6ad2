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
    let mut after_date = text.bytes().skip(10);
    if after_date.any(|byte| b"+-Zz[".contains(&byte)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::Offset;
    use proptest::prelude::*;

    #[test]
    fn every_form_of_an_answers_timestamp_is_the_same_instant() {
        let forms = [
            "2026-01-01T10:00:00.123456Z",
            "2026-01-01T12:00:00.123456+02:00",
            "2026-01-01T15:45:00.123456+05:45",
            "2026-01-01 10:00:00.123456",
            "2026-01-01T10:00:00.123456000Z",
            "2026-01-01T10:00:00.123456+0000",
        ];
        let expected = parse(forms[0]);
        assert!(expected.is_some());
        for form in forms {
            assert_eq!(parse(form), expected, "{form}");
        }
        assert_eq!(parse("2026-01-01T10:00:00Z"), parse("2026-01-01 10:00:00"));
    }

    #[test]
    fn what_is_no_instant_that_can_be_kept_is_none() {
        for text in [
            "",
            "soon",
            "10:00",
            "2026-13-01T00:00:00Z",
            "2026-01-01T10:00:00.1234567Z",
            "2026-01-01T10:00:00+99:00",
            "10000-01-01T00:00:00Z",
            "2026-01-01T10:00:00[Europe/Berlin]",
            "1767261600",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_is_its_first_instant_and_nothing_else() {
        let day = Some(jiff::civil::date(2026, 1, 1));
        assert_eq!(parse_day("2026-01-01"), day);
        assert_eq!(parse_day("2026-01-01T00:00:00Z"), day);
        assert_eq!(parse_day("2026-01-01T01:00:00+01:00"), day);
        assert_eq!(parse_day("2026-01-01T00:00:00+01:00"), None);
    }

    proptest! {
        #[test]
        fn any_instant_survives_any_offset_and_its_own_bound(
            micros in -2_208_988_800_000_000_i64..10_413_791_999_999_999,
            quarters in -56_i32..=56,
        ) {
            let at = Timestamp::from_microsecond(micros).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(parse(&bound(at)), Some(at));
            let offset = Offset::from_seconds(quarters * 900).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let local = offset.to_datetime(at);
            let sign = if quarters < 0 { '-' } else { '+' };
            let (hours, minutes) = (quarters.abs() / 4, quarters.abs() % 4 * 15);
            let text = format!("{local}{sign}{hours:02}:{minutes:02}");
            prop_assert_eq!(parse(&text), Some(at), "{}", text);
        }

        #[test]
        fn bounds_sort_as_their_instants(a in 0_i64..4_000_000_000_000_000, b in 0_i64..4_000_000_000_000_000) {
            let text = |micros| Timestamp::from_microsecond(micros).map(bound).ok();
            prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
        }

        #[test]
        fn no_text_is_read_with_a_panic(text in "[0-9TZ: .+-]{0,40}|.{0,30}") {
            let _ = parse(&text);
        }
    }
}
