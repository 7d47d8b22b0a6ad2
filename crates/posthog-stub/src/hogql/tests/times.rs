use serde_json::{Value as Json, json};

use super::super::{Ask, run};
use super::{json_rows, refusal, rows, small, value};
use crate::world::project::Project;

#[test]
fn datetimes_come_in_the_projects_zone_with_a_fraction_only_when_there_is_one() {
    let mut project = small();
    let read = |project: &Project| {
        rows(
            project,
            "select timestamp from events order by timestamp, toString(uuid) limit 2",
            Json::Null,
        )
    };
    assert_eq!(
        read(&project),
        json!([["2026-02-28T23:30:00Z"], ["2026-03-01T10:00:00.000001Z"]])
    );
    project.set_timezone("Europe/Berlin");
    assert_eq!(
        read(&project),
        json!([
            ["2026-03-01T00:30:00+01:00"],
            ["2026-03-01T11:00:00.000001+01:00"]
        ])
    );
    let now = "2026-03-02T00:00:00Z".parse().unwrap();
    let text = "select timestamp from events order by timestamp limit 1";
    let ask = Ask {
        text,
        values: &Json::Null,
        in_project_zone: false,
        now,
        too_much: None,
    };
    let set = run(&project, &ask).unwrap();
    assert_eq!(json_rows(&set), json!([["2026-02-28T23:30:00Z"]]));
    assert_eq!(set.types, ["DateTime64(6, 'UTC')"]);
}

#[test]
fn a_naive_literal_is_read_in_the_projects_zone() {
    let project = small().timezone("Europe/Berlin");
    let count = |condition: &str| {
        rows(
            &project,
            &format!("select count() from events where {condition} limit 1"),
            Json::Null,
        )[0][0]
            .clone()
    };
    assert_eq!(
        count("timestamp >= toDateTime('2026-03-01 00:00:00')"),
        json!(3)
    );
    assert_eq!(
        count("timestamp >= toDateTime('2026-03-01 00:00:00', 'UTC')"),
        json!(2)
    );
    assert_eq!(count("timestamp >= '2026-03-01'"), json!(3));
    assert_eq!(count("toDate(timestamp) = '2026-03-01'"), json!(3));
}

#[test]
fn two_argument_to_date_time_keeps_microseconds_and_silently_matches_nothing_when_malformed() {
    let project = small();
    let count = |bound: &str| {
        let text = "select count() from events where timestamp = toDateTime({at}, 'UTC') limit 1";
        rows(&project, text, json!({ "at": bound }))[0][0].clone()
    };
    assert_eq!(count("2026-03-01 10:00:00.000001"), json!(2));
    assert_eq!(count("2026-03-01 10:00:00.000002"), json!(0));
    assert_eq!(count("2026-03-01T10:00:00.000001Z"), json!(2));
    assert_eq!(count("2026-03-01T11:00:00.000001+01:00"), json!(2));
    assert_eq!(count("yesterday-ish"), json!(0));
    let (code, _) = refusal(
        &project,
        "select toDateTime('yesterday-ish') limit 1",
        Json::Null,
    );
    assert_eq!(code, "cannot_parse_datetime");
}

#[test]
fn to_date_time_of_a_datetime_drops_the_fraction() {
    let project = small();
    let read = rows(
        &project,
        "select toDateTime(max(timestamp)), toString(max(timestamp)) from events limit 1",
        Json::Null,
    );
    assert_eq!(
        read,
        json!([["2026-03-01T10:00:00Z", "2026-03-01 10:00:00.000001"]])
    );
}

#[test]
fn days_and_hours_are_cut_by_the_zone_asked_for() {
    let project = small().timezone("America/New_York");
    let read = rows(
        &project,
        "select toStartOfDay(timestamp), toStartOfDay(timestamp, 'UTC'), toStartOfHour(timestamp), toDate(timestamp), \
         toTimeZone(timestamp, 'Asia/Kolkata') from events order by timestamp limit 1",
        Json::Null,
    );
    assert_eq!(
        read,
        json!([[
            "2026-02-28T00:00:00-05:00",
            "2026-02-28T00:00:00Z",
            "2026-02-28T18:00:00-05:00",
            "2026-02-28",
            "2026-03-01T05:00:00+05:30"
        ]])
    );
}

#[test]
fn days_have_their_length_across_a_change_of_clocks() {
    let project = Project::new(1, "x").timezone("Europe/Berlin");
    let read = rows(
        &project,
        "select toStartOfDay(toDateTime('2026-03-29 12:00:00')), toDateTime('2026-03-29 12:00:00') - interval 1 day, \
         toDateTime('2026-03-29 12:00:00') - interval 24 hour, dateDiff('day', toDateTime('2026-03-28'), toDateTime('2026-03-30')) limit 1",
        Json::Null,
    );
    assert_eq!(
        read,
        json!([[
            "2026-03-29T00:00:00+01:00",
            "2026-03-28T12:00:00+01:00",
            "2026-03-28T11:00:00+01:00",
            2
        ]])
    );
}

#[test]
fn now_is_the_worlds_clock() {
    assert_eq!(value("now()"), json!("2026-03-02T00:00:00Z"));
    assert_eq!(
        value("now() - toIntervalDay(1)"),
        json!("2026-03-01T00:00:00Z")
    );
    assert_eq!(value("today()"), json!("2026-03-02"));
}
