use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Antarctica/Troll",
];

fn any_zone() -> impl Strategy<Value = TimeZone> {
    prop::sample::select(&ZONES[..]).prop_map(|name| time_zone(name).unwrap())
}

/// Any microsecond from 1990 to 2060.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    (631_152_000_000_000_i64..2_840_140_800_000_000)
        .prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
}

proptest! {
    #[test]
    fn the_day_of_an_instant_is_what_the_wall_calendar_shows(zone in any_zone(), at in any_instant()) {
        prop_assert_eq!(day_of(at, &zone), zone.to_datetime(at).date());
    }

    #[test]
    fn a_days_bounds_hold_exactly_its_instants(zone in any_zone(), at in any_instant()) {
        let day = day_of(at, &zone);
        let (start, end) = day_bounds(day, &zone);
        prop_assert!(start <= at && at < end);
        let before = start - SignedDuration::from_micros(1);
        let last = end - SignedDuration::from_micros(1);
        prop_assert!(zone.to_datetime(before).date() < day);
        prop_assert_eq!(zone.to_datetime(last).date(), day);
        prop_assert!(zone.to_datetime(end).date() > day);
    }

    #[test]
    fn precomputed_edges_agree_with_the_zone_inside_and_outside_their_range(
        zone in any_zone(),
        at in any_instant(),
        before in 0_i64..40,
        after in -5_i64..40,
    ) {
        let day = day_of(at, &zone);
        let shift = |days: i64| day.saturating_add(SignedDuration::from_hours(24 * days));
        let edges = DayEdges::new(&zone, shift(-before), shift(after));
        prop_assert_eq!(edges.day_of(at), day);
        for hours in [-49, -24, -1, 1, 24, 49] {
            let other = at + SignedDuration::from_hours(hours);
            prop_assert_eq!(edges.day_of(other), day_of(other, &zone));
        }
    }
}

#[test]
fn days_of_23_and_25_hours_have_their_true_length() {
    let zone = time_zone("Europe/Berlin").unwrap();
    let hours = |day| {
        let (start, end) = day_bounds(day, &zone);
        end.duration_since(start).as_hours()
    };
    assert_eq!(hours(date(2026, 3, 29)), 23);
    assert_eq!(hours(date(2026, 10, 25)), 25);
    assert_eq!(hours(date(2026, 6, 1)), 24);
}

#[test]
fn a_skipped_day_is_empty_and_the_next_one_begins_at_once() {
    let zone = time_zone("Pacific/Apia").unwrap();
    let (start, end) = day_bounds(date(2011, 12, 30), &zone);
    assert_eq!(start, end);
    let edges = DayEdges::new(&zone, date(2011, 12, 28), date(2012, 1, 2));
    assert_eq!(edges.day_of(start), date(2011, 12, 31));
}

#[test]
fn a_gap_that_opens_before_midnight_does_not_delay_the_day() {
    let zone = time_zone("America/Toronto").unwrap();
    let (start, _) = day_bounds(date(1919, 3, 31), &zone);
    assert_eq!(zone.to_datetime(start).to_string(), "1919-03-31T00:30:00");
}

#[test]
fn a_clock_put_back_over_midnight_does_not_split_the_day() {
    let zone = time_zone("America/St_Johns").unwrap();
    let (start, _) = day_bounds(date(2010, 11, 7), &zone);
    let repeated = start + SignedDuration::from_mins(30);
    assert_eq!(zone.to_datetime(repeated).date(), date(2010, 11, 6));
    assert_eq!(day_of(repeated, &zone), date(2010, 11, 7));
    let edges = DayEdges::new(&zone, date(2010, 11, 1), date(2010, 11, 9));
    assert_eq!(edges.day_of(repeated), date(2010, 11, 7));
}

#[test]
fn the_ends_of_time_have_a_day() {
    for name in ZONES {
        let zone = time_zone(name).unwrap();
        let edges = DayEdges::covering(&zone, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        for at in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(edges.day_of(at), day_of(at, &zone));
            let (start, end) = day_bounds(day_of(at, &zone), &zone);
            assert!(start <= at && at <= end, "{name} {at}");
        }
    }
}

#[test]
fn a_zone_of_no_such_name_is_refused_with_an_example() {
    for name in ["", "Berlin", "Europe/Berlim", "+02:00", "Etc/Unknown"] {
        let error = time_zone(name).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("timeZone {name:?} is not an IANA time zone: write one such as Europe/Berlin")
        );
    }
}
