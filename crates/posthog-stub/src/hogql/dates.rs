//! Reading, cutting, shifting and writing dates, in microseconds since 1970 and days since 1970.

use std::io::Write as _;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, ToSpan as _};

use super::value::Unit;
use super::zone::Zone;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// The date of a day number.
pub(crate) fn date(days: i32) -> Option<Date> {
    EPOCH.checked_add(i64::from(days).days()).ok()
}

/// The day number of a date.
pub(crate) fn days(date: Date) -> i32 {
    EPOCH.until(date).map_or(0, |span| span.get_days())
}

/// The first instant of a day in a zone.
pub(crate) fn midnight(days: i32, zone: Zone) -> Option<i64> {
    if zone.is_utc() {
        return Some(i64::from(days) * DAY);
    }
    zone.micros(date(days)?.to_datetime(Time::midnight()))
}

/// The day number of an instant in a zone.
pub(crate) fn days_of(micros: i64, zone: Zone) -> i32 {
    let local = micros + i64::from(zone.offset_seconds(micros)) * SECOND;
    i32::try_from(local.div_euclid(DAY)).unwrap_or_default()
}

/// ClickHouse's best effort at a datetime text: ISO forms, blanks or `T`, fraction, `Z` or an offset,
/// or seconds since 1970. A text without an offset is read in `zone`. `None` when it cannot be read.
pub(crate) fn parse(text: &str, zone: Zone) -> Option<i64> {
    let text = text.trim();
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        return match text.len() {
            9 | 10 => Some(number * SECOND),
            13 => Some(number * 1000),
            16 => Some(number),
            _ => None,
        };
    }
    let date = parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    let rest = rest.strip_prefix(['T', ' ']).unwrap_or(rest);
    let (time, fraction, rest) = parse_time(rest)?;
    let civil = date.to_datetime(time);
    let micros = match parse_offset(rest.trim())? {
        None => zone.micros(civil)?,
        Some(seconds) => Zone::of("UTC")?.micros(civil)? - seconds * SECOND,
    };
    Some(micros + fraction)
}

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

fn parse_time(text: &str) -> Option<(Time, i64, &str)> {
    if text.is_empty() {
        return Some((Time::midnight(), 0, text));
    }
    let two = |from: usize| -> Option<i8> {
        let digits = text.get(from..from + 2)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let (hour, minute) = (two(0)?, two(3)?);
    if text.get(2..3)? != ":" {
        return None;
    }
    let (second, rest) = if text.get(5..6) == Some(":") {
        (two(6)?, text.get(8..)?)
    } else {
        (0, text.get(5..)?)
    };
    let time = Time::new(hour, minute, second, 0).ok()?;
    let Some(digits) = rest.strip_prefix('.') else {
        return Some((time, 0, rest));
    };
    let end = digits
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(digits.len());
    let (fraction, rest) = digits.split_at(end);
    // Digits beyond the sixth are cut off, not rounded.
    let padded: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some((time, padded.parse().ok()?, rest))
}

/// Seconds east of UTC; the inner `None` is a text without an offset.
fn parse_offset(text: &str) -> Option<Option<i64>> {
    match text {
        "" => return Some(None),
        "Z" | "z" | "UTC" | "GMT" => return Some(Some(0)),
        _ => {}
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let digits: String = text
        .get(1..)?
        .chars()
        .filter(|character| *character != ':')
        .collect();
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    Some(Some(
        sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60),
    ))
}

/// A plain date text, `YYYY-MM-DD`, perhaps followed by a time.
pub(crate) fn parse_days(text: &str) -> Option<i32> {
    parse_date(text.trim().get(..10)?).map(days)
}

/// The start of the unit that holds an instant, by the zone's wall clock. Weeks begin on Sunday, as ClickHouse's do.
pub(crate) fn truncate(micros: i64, zone: Zone, unit: Unit) -> Option<i64> {
    let step = match unit {
        Unit::Second => SECOND,
        Unit::Minute => 60 * SECOND,
        Unit::Hour => 3600 * SECOND,
        Unit::Day => return midnight(days_of(micros, zone), zone),
        Unit::Week | Unit::Month | Unit::Quarter | Unit::Year => {
            let start = truncate_date(days_of(micros, zone), unit)?;
            return midnight(start, zone);
        }
    };
    let offset = i64::from(zone.offset_seconds(micros)) * SECOND;
    Some((micros + offset).div_euclid(step) * step - offset)
}

/// The first day of the unit that holds a day.
pub(crate) fn truncate_date(day: i32, unit: Unit) -> Option<i32> {
    let at = date(day)?;
    let start = match unit {
        Unit::Week => at
            .checked_sub(i64::from(at.weekday().to_sunday_zero_offset()).days())
            .ok()?,
        Unit::Month => at.first_of_month(),
        Unit::Quarter => Date::new(at.year(), (at.month() - 1) / 3 * 3 + 1, 1).ok()?,
        Unit::Year => at.first_of_year(),
        Unit::Second | Unit::Minute | Unit::Hour | Unit::Day => at,
    };
    Some(days(start))
}

/// An instant moved by some units: days and more by the wall clock, less by elapsed time.
pub(crate) fn add(micros: i64, zone: Zone, unit: Unit, count: i64) -> Option<i64> {
    let step = match unit {
        Unit::Second => SECOND,
        Unit::Minute => 60 * SECOND,
        Unit::Hour => 3600 * SECOND,
        Unit::Day | Unit::Week | Unit::Month | Unit::Quarter | Unit::Year => {
            let moved = zone.civil(micros).checked_add(span(unit, count)?).ok()?;
            return zone.micros(moved);
        }
    };
    micros.checked_add(count.checked_mul(step)?)
}

/// A day moved by some units of a day or more.
pub(crate) fn add_days(day: i32, unit: Unit, count: i64) -> Option<i32> {
    Some(days(date(day)?.checked_add(span(unit, count)?).ok()?))
}

fn span(unit: Unit, count: i64) -> Option<Span> {
    match unit {
        Unit::Day => Span::new().try_days(count).ok(),
        Unit::Week => Span::new().try_weeks(count).ok(),
        Unit::Month => Span::new().try_months(count).ok(),
        Unit::Quarter => Span::new().try_months(count.checked_mul(3)?).ok(),
        Unit::Year => Span::new().try_years(count).ok(),
        Unit::Second | Unit::Minute | Unit::Hour => None,
    }
}

/// As PostHog's JSON shows it: `T`, a fraction only when there is one, `Z` or a numeric offset.
pub(crate) fn write_iso(out: &mut Vec<u8>, micros: i64, zone: Zone) {
    let civil = zone.civil(micros);
    write_civil(out, civil, b'T');
    let fraction = micros.rem_euclid(SECOND);
    // Writing to a Vec cannot fail.
    if fraction != 0 {
        let _ = write!(out, ".{fraction:06}");
    }
    let offset = zone.offset_seconds(micros);
    if offset == 0 {
        out.push(b'Z');
        return;
    }
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
}

/// As ClickHouse's `toString` shows it: a blank, and always six digits of fraction for DateTime64(6).
pub(crate) fn text(micros: i64, zone: Zone, precise: bool) -> String {
    let mut out = Vec::with_capacity(26);
    write_civil(&mut out, zone.civil(micros), b' ');
    if precise {
        let _ = write!(out, ".{:06}", micros.rem_euclid(SECOND));
    }
    String::from_utf8(out).unwrap_or_default()
}

fn write_civil(out: &mut Vec<u8>, civil: DateTime, between: u8) {
    let two = |out: &mut Vec<u8>, number: i8| {
        let number = number.unsigned_abs();
        out.extend([b'0' + number / 10, b'0' + number % 10]);
    };
    let year = civil.year().unsigned_abs();
    for digit in [year / 1000 % 10, year / 100 % 10, year / 10 % 10, year % 10] {
        out.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
    out.push(b'-');
    two(out, civil.month());
    out.push(b'-');
    two(out, civil.day());
    out.push(between);
    two(out, civil.hour());
    out.push(b':');
    two(out, civil.minute());
    out.push(b':');
    two(out, civil.second());
}
