//! Functions on dates and datetimes. Without a zone argument they go by the value's own zone.

use super::numbers::move_by;
use super::{Args, Definition, int, wrong_type};
use crate::hogql::error::QueryError;
use crate::hogql::types::{Kind, Type};
use crate::hogql::value::{Unit, Value};
use crate::hogql::zone::Zone;
use crate::hogql::{Env, dates};

type Answer = Result<Value, QueryError>;

pub(super) const ALL: &[Definition] = &[
    Definition::new("now", (0, 1), precise, now),
    Definition::new("today", (0, 0), date, |env, _| Ok(Value::Date(today(env)))),
    Definition::new("yesterday", (0, 0), date, |env, _| {
        Ok(Value::Date(today(env) - 1))
    }),
    Definition::new("toTimeZone", (2, 2), rezoned, to_time_zone),
    Definition::new("toStartOfSecond", (1, 1), coarse, |env, args| {
        start(env, args, Unit::Second)
    }),
    Definition::new("toStartOfMinute", (1, 1), coarse, |env, args| {
        start(env, args, Unit::Minute)
    }),
    Definition::new("toStartOfHour", (1, 1), coarse, |env, args| {
        start(env, args, Unit::Hour)
    }),
    Definition::new("toStartOfDay", (1, 2), coarse, |env, args| {
        start(env, args, Unit::Day)
    }),
    Definition::new("toStartOfWeek", (1, 1), date, |env, args| {
        start_date(env, args, Unit::Week)
    }),
    Definition::new("toStartOfMonth", (1, 1), date, |env, args| {
        start_date(env, args, Unit::Month)
    }),
    Definition::new("toStartOfQuarter", (1, 1), date, |env, args| {
        start_date(env, args, Unit::Quarter)
    }),
    Definition::new("toStartOfYear", (1, 1), date, |env, args| {
        start_date(env, args, Unit::Year)
    }),
    Definition::new("toYear", (1, 1), int, |env, args| {
        part(env, args, |at| i64::from(at.year()))
    }),
    Definition::new("toMonth", (1, 1), int, |env, args| {
        part(env, args, |at| i64::from(at.month()))
    }),
    Definition::new("toDayOfMonth", (1, 1), int, |env, args| {
        part(env, args, |at| i64::from(at.day()))
    }),
    Definition::new("toHour", (1, 1), int, |env, args| {
        part(env, args, |at| i64::from(at.hour()))
    }),
    Definition::new("toMinute", (1, 1), int, |env, args| {
        part(env, args, |at| i64::from(at.minute()))
    }),
    Definition::new("toSecond", (1, 1), int, |env, args| {
        part(env, args, |at| i64::from(at.second()))
    }),
    Definition::new("toDayOfWeek", (1, 1), int, |env, args| {
        part(env, args, |at| {
            i64::from(at.date().weekday().to_monday_one_offset())
        })
    }),
    Definition::new("toYYYYMM", (1, 1), int, |env, args| {
        part(env, args, |at| {
            i64::from(at.year()) * 100 + i64::from(at.month())
        })
    }),
    Definition::new("toYYYYMMDD", (1, 1), int, |env, args| {
        part(env, args, |at| {
            i64::from(at.year()) * 10_000 + i64::from(at.month()) * 100 + i64::from(at.day())
        })
    }),
    Definition::new("toUnixTimestamp", (1, 2), int, |env, args| {
        scaled(env, args, 1_000_000)
    }),
    Definition::new("toUnixTimestamp64Milli", (1, 1), int, |env, args| {
        scaled(env, args, 1000)
    }),
    Definition::new("fromUnixTimestamp", (1, 1), from_seconds, |env, args| {
        from_unix(env, args, 1_000_000, false)
    }),
    Definition::new("fromUnixTimestamp64Milli", (1, 1), precise, |env, args| {
        from_unix(env, args, 1000, true)
    }),
    Definition::new("toIntervalSecond", (1, 1), interval, |_, args| {
        span(args, Unit::Second)
    }),
    Definition::new("toIntervalMinute", (1, 1), interval, |_, args| {
        span(args, Unit::Minute)
    }),
    Definition::new("toIntervalHour", (1, 1), interval, |_, args| {
        span(args, Unit::Hour)
    }),
    Definition::new("toIntervalDay", (1, 1), interval, |_, args| {
        span(args, Unit::Day)
    }),
    Definition::new("toIntervalWeek", (1, 1), interval, |_, args| {
        span(args, Unit::Week)
    }),
    Definition::new("toIntervalMonth", (1, 1), interval, |_, args| {
        span(args, Unit::Month)
    }),
    Definition::new("toIntervalQuarter", (1, 1), interval, |_, args| {
        span(args, Unit::Quarter)
    }),
    Definition::new("toIntervalYear", (1, 1), interval, |_, args| {
        span(args, Unit::Year)
    }),
    Definition::new("addSeconds", (2, 2), super::first, |_, args| {
        moved(args, Unit::Second, 1)
    }),
    Definition::new("addMinutes", (2, 2), super::first, |_, args| {
        moved(args, Unit::Minute, 1)
    }),
    Definition::new("addHours", (2, 2), super::first, |_, args| {
        moved(args, Unit::Hour, 1)
    }),
    Definition::new("addDays", (2, 2), super::first, |_, args| {
        moved(args, Unit::Day, 1)
    }),
    Definition::new("subtractHours", (2, 2), super::first, |_, args| {
        moved(args, Unit::Hour, -1)
    }),
    Definition::new("subtractDays", (2, 2), super::first, |_, args| {
        moved(args, Unit::Day, -1)
    }),
    Definition::new("dateDiff", (3, 3), int, date_diff),
];

fn date(_: &Args<'_>) -> Type {
    Type::of(Kind::Date)
}

fn interval(_: &Args<'_>) -> Type {
    Type::of(Kind::Interval)
}

fn zone_of(args: &Args<'_>) -> Zone {
    let named = args.text(1).and_then(Zone::of);
    named
        .or_else(|| args.kind(0).zone())
        .unwrap_or(args.env.zone)
}

fn coarse(args: &Args<'_>) -> Type {
    Type::of(Kind::DateTime(zone_of(args)))
}

fn precise(args: &Args<'_>) -> Type {
    let named = args.text(0).and_then(Zone::of);
    Type::of(Kind::DateTime64(named.unwrap_or(args.env.zone)))
}

fn from_seconds(args: &Args<'_>) -> Type {
    Type::of(Kind::DateTime(args.env.zone))
}

fn rezoned(args: &Args<'_>) -> Type {
    let zone = zone_of(args);
    match args.kind(0).kind {
        Kind::DateTime(_) => Type::of(Kind::DateTime(zone)),
        _ => Type::of(Kind::DateTime64(zone)),
    }
}

fn today(env: &Env<'_>) -> i32 {
    dates::days_of(env.now.as_microsecond(), env.zone)
}

fn now(env: &Env<'_>, args: &[Value]) -> Answer {
    let zone = named_zone(args, 0)?.unwrap_or(env.zone);
    Ok(Value::DateTime {
        micros: env.now.as_microsecond(),
        zone,
        precise: true,
    })
}

/// The zone named by an argument; an unknown name is an error of ClickHouse's.
pub(super) fn named_zone(args: &[Value], at: usize) -> Result<Option<Zone>, QueryError> {
    let Some(value) = args.get(at) else {
        return Ok(None);
    };
    let name = value
        .as_str()
        .ok_or_else(|| wrong_type("toTimeZone", value))?;
    let unknown =
        || QueryError::clickhouse("bad_arguments", format!("Cannot load time zone {name}"));
    Zone::of(name).map(Some).ok_or_else(unknown)
}

/// The instant and zone of a date or datetime argument.
fn instant(env: &Env<'_>, args: &[Value]) -> Result<(i64, Zone), QueryError> {
    match args.first().unwrap_or(&Value::Null) {
        Value::DateTime { micros, zone, .. } => Ok((*micros, *zone)),
        Value::Date(days) => Ok((
            dates::midnight(*days, env.zone).unwrap_or_default(),
            env.zone,
        )),
        other => Err(wrong_type("a date function", other)),
    }
}

fn to_time_zone(env: &Env<'_>, args: &[Value]) -> Answer {
    let (micros, own) = instant(env, args)?;
    let precise = matches!(args.first(), Some(Value::DateTime { precise: true, .. }));
    Ok(Value::DateTime {
        micros,
        zone: named_zone(args, 1)?.unwrap_or(own),
        precise,
    })
}

fn start(env: &Env<'_>, args: &[Value], unit: Unit) -> Answer {
    let (micros, own) = instant(env, args)?;
    let zone = named_zone(args, 1)?.unwrap_or(own);
    Ok(
        dates::truncate(micros, zone, unit).map_or(Value::Null, |micros| Value::DateTime {
            micros,
            zone,
            precise: false,
        }),
    )
}

fn start_date(env: &Env<'_>, args: &[Value], unit: Unit) -> Answer {
    let (micros, zone) = instant(env, args)?;
    Ok(dates::truncate_date(dates::days_of(micros, zone), unit).map_or(Value::Null, Value::Date))
}

fn part(env: &Env<'_>, args: &[Value], take: fn(jiff::civil::DateTime) -> i64) -> Answer {
    let (micros, zone) = instant(env, args)?;
    Ok(Value::Int(take(zone.civil(micros))))
}

fn scaled(env: &Env<'_>, args: &[Value], step: i64) -> Answer {
    let (micros, _) = instant(env, args)?;
    Ok(Value::Int(micros.div_euclid(step)))
}

fn from_unix(env: &Env<'_>, args: &[Value], step: i64, precise: bool) -> Answer {
    let value = args.first().unwrap_or(&Value::Null);
    let number = value
        .as_int()
        .and_then(|number| i64::try_from(number).ok())
        .ok_or_else(|| wrong_type("fromUnixTimestamp", value))?;
    Ok(Value::DateTime {
        micros: number.saturating_mul(step),
        zone: env.zone,
        precise,
    })
}

fn span(args: &[Value], unit: Unit) -> Answer {
    let value = args.first().unwrap_or(&Value::Null);
    let count = value.as_int().and_then(|number| i64::try_from(number).ok());
    count
        .map(|count| Value::Interval(unit, count))
        .ok_or_else(|| wrong_type("toInterval", value))
}

fn moved(args: &[Value], unit: Unit, sign: i64) -> Answer {
    let value = args.first().unwrap_or(&Value::Null);
    let count = args
        .get(1)
        .and_then(Value::as_int)
        .and_then(|number| i64::try_from(number).ok());
    count
        .and_then(|count| move_by(value, unit, count * sign))
        .ok_or_else(|| wrong_type("addDays", value))
}

/// Unit borders crossed between two datetimes.
fn date_diff(env: &Env<'_>, args: &[Value]) -> Answer {
    let unit = args
        .first()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let (from, zone) = instant(env, args.get(1..).unwrap_or_default())?;
    let (to, _) = instant(env, args.get(2..).unwrap_or_default())?;
    let months = |micros| {
        let at = zone.civil(micros);
        i64::from(at.year()) * 12 + i64::from(at.month())
    };
    let day = |micros| i64::from(dates::days_of(micros, zone));
    let count = match unit.trim_end_matches('s') {
        "second" => to.div_euclid(1_000_000) - from.div_euclid(1_000_000),
        "minute" => to.div_euclid(60_000_000) - from.div_euclid(60_000_000),
        "hour" => to.div_euclid(3_600_000_000) - from.div_euclid(3_600_000_000),
        "day" => day(to) - day(from),
        "week" => day(to).div_euclid(7) - day(from).div_euclid(7),
        "month" => months(to) - months(from),
        "year" => months(to).div_euclid(12) - months(from).div_euclid(12),
        _ => {
            return Err(QueryError::clickhouse(
                "bad_arguments",
                format!("dateDiff does not support '{unit}' unit"),
            ));
        }
    };
    Ok(Value::Int(count))
}
