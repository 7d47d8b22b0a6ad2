use serde_json::{Value as Json, json};

use super::{ask, refusal, rows, small};
use crate::world::event::Event;
use crate::world::project::Project;

#[test]
fn groups_are_counted_filtered_and_sorted() {
    let project = small();
    let text = "select event, count() as n, uniq(distinct_id), countIf(properties.price = '5') from events \
                group by event having n >= 1 order by n desc, event limit 10";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([["$pageview", 2, 2, 1], ["order", 1, 1, 0]])
    );
}

#[test]
fn aliases_are_seen_by_the_whole_query() {
    let project = small();
    let text = "select toStartOfDay(timestamp, 'UTC') as day, event as name, count() as n from events \
                where name != 'x' group by day, name order by day, name limit 10";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([
            ["2026-02-28T00:00:00Z", "order", 1],
            ["2026-03-01T00:00:00Z", "$pageview", 2]
        ])
    );
}

#[test]
fn aggregates_over_nothing_yield_defaults_not_null() {
    let project = Project::new(1, "empty");
    let text = "select count(), max(timestamp), min(event), sum(1), avg(1), argMax(uuid, timestamp), max(properties.x), groupArray(event) \
                from events limit 1";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([[
            0,
            "1970-01-01T00:00:00Z",
            "",
            0,
            null,
            "00000000-0000-0000-0000-000000000000",
            null,
            []
        ]])
    );
    assert_eq!(
        rows(
            &project,
            "select event, count() from events group by event limit 5",
            Json::Null
        ),
        json!([])
    );
}

#[test]
fn arg_max_takes_the_row_of_the_greatest_tuple() {
    let mut project = Project::new(1, "x");
    let uuid = uuid::Uuid::from_u128(9);
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    for (name, timestamp, created_at) in [
        ("b", "2026-01-01T23:59:59Z", "2026-01-02T00:00:01Z"),
        ("a", "2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z"),
        ("c", "2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z"),
    ] {
        project.capture(
            Event::new(name, "d", at(timestamp))
                .uuid(uuid)
                .created_at(at(created_at)),
        );
    }
    project.settle();
    let text = "select day, count() from (select uuid, argMax(toStartOfDay(timestamp, 'UTC'), \
                tuple(created_at, timestamp, event, distinct_id)) as day from events group by uuid) group by day limit 9";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([["2026-01-02T00:00:00Z", 1]])
    );
    let (events, uniques) = ("count()", "uniqExact(uuid)");
    assert_eq!(
        rows(
            &project,
            &format!("select {events}, {uniques} from events limit 1"),
            Json::Null
        ),
        json!([[3, 1]])
    );
}

#[test]
fn rows_with_null_are_left_out_of_aggregates() {
    let project = small();
    let text = "select count(properties.quantity), min(properties.quantity), argMax(properties.quantity, timestamp), \
                groupArray(properties.quantity), uniq(properties.quantity), count(distinct event) from events limit 1";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([[1, "2", "2", ["2"], 1, 2]])
    );
}

#[test]
fn a_column_that_is_neither_key_nor_aggregate_is_refused() {
    let project = small();
    let (code, _) = refusal(
        &project,
        "select event, distinct_id, count() from events group by event limit 1",
        Json::Null,
    );
    assert_eq!(code, "not_an_aggregate");
    let (code, _) = refusal(
        &project,
        "select count() as n from events where n > 1 limit 1",
        Json::Null,
    );
    assert_eq!(code, "illegal_aggregation");
}

#[test]
fn expressions_of_keys_and_aggregates_are_allowed() {
    let project = small();
    let text = "select concat(event, '!'), count() * 10 + 1 from events group by event order by count() desc limit 1";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([["$pageview!", 21]])
    );
}

#[test]
fn distinct_and_limit_by_keep_the_first_of_each() {
    let project = small();
    assert_eq!(
        rows(
            &project,
            "select distinct event from events order by event limit 9",
            Json::Null
        ),
        json!([["$pageview"], ["order"]])
    );
    assert_eq!(
        rows(
            &project,
            "select event, distinct_id from events order by timestamp desc, distinct_id limit 1 by distinct_id limit 9",
            Json::Null
        ),
        json!([["$pageview", "ada"], ["$pageview", "bob"]])
    );
}

#[test]
fn types_are_named_as_clickhouse_names_them() {
    let project = small();
    let text = "select uuid, timestamp, properties.x, count(), toStartOfDay(timestamp, 'UTC'), cityHash64(event), tuple(uuid, 'x') \
                from events group by 1, 2, 3, 5, 6, 7 limit 1";
    let set = ask(&project, text, &Json::Null).unwrap();
    assert_eq!(
        set.types,
        [
            "UUID",
            "DateTime64(6, 'UTC')",
            "Nullable(String)",
            "UInt64",
            "DateTime('UTC')",
            "UInt64",
            "Tuple(UUID, String)"
        ]
    );
}

#[test]
fn an_exclusive_or_of_hashes_does_not_hang_on_their_order() {
    let project = small();
    let hash = |name: &str| ch_cityhash102::cityhash64(name.as_bytes());
    let text = "select groupBitXor(cityHash64(event)) from (select event from events group by event) limit 1";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([[hash("order") ^ hash("$pageview")]])
    );
    let nothing = "select groupBitXor(cityHash64(event)) from events where event = 'x' limit 1";
    assert_eq!(rows(&project, nothing, Json::Null), json!([[0]]));
    let (code, _) = refusal(
        &project,
        "select groupBitXor(event) from events limit 1",
        Json::Null,
    );
    assert_eq!(code, "illegal_type_of_argument");
}
