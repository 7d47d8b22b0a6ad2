use proptest::prelude::*;

use super::*;

const DAY: i64 = 24 * 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

/// Whether PostHog gives an event to whoever reads this slice: the strictest reading of what was found.
fn gives(slice: &Slice, stamped: Timestamp, received: Timestamp) -> bool {
    let week = SignedDuration::from_hours(24 * 7);
    let day = SignedDuration::from_hours(24);
    match slice.export {
        Some(_) => {
            received >= slice.from
                && received < slice.to
                && stamped >= slice.from - week
                && stamped < slice.to + day
        }
        None => {
            stamped >= slice.from
                && stamped < slice.to
                && slice.arrived_since.is_none_or(|since| received >= since)
        }
    }
}

proptest! {
    #[test]
    fn every_event_of_the_window_is_in_some_slice_however_late_it_came(
        days in 1_i64..366,
        margin in 0_i64..1000,
        back in 0_i64..366 * DAY,
        late in -23 * 3600_i64..400 * DAY,
    ) {
        let window = Window { from: at(-days * DAY), to: at(0) };
        let until = at(-margin);
        let stamped = at(-(back % (days * DAY)) - 1);
        let received = (stamped + SignedDuration::from_secs(late)).min(at(0));
        let plan = plan_exports(window, until, 700);
        prop_assert!(plan.iter().any(|slice| gives(slice, stamped, received)), "{stamped} {received}");
        for slice in plan.iter().filter(|slice| slice.export.is_some()) {
            prop_assert!(slice.to.duration_since(slice.from) <= LONGEST_INTERVAL);
            prop_assert!(slice.to <= until && slice.from < slice.to);
        }
        // What came in at its time needs no query, unless that was just now.
        let is_prompt = late < DAY && received < until - ARRIVALS_OVERLAP;
        let asked = plan.iter().any(|slice| slice.export.is_none() && gives(slice, stamped, received));
        prop_assert!(!(is_prompt && asked), "{stamped} {received}");
    }
}

#[test]
fn thirty_days_are_five_exports_and_a_query_for_each_week_of_stragglers() {
    let window = Window {
        from: at(-30 * DAY),
        to: at(0),
    };
    let plan = plan_exports(window, at(-300), 1000);
    let exports: Vec<_> = plan.iter().filter(|s| s.export.is_some()).collect();
    assert_eq!(exports.len(), 5);
    assert_eq!(exports[0].from, at(-31 * DAY));
    assert_eq!(exports[4].to, at(-300));
    assert_eq!(exports[0].expected_rows, 200);
    let queries: Vec<_> = plan.iter().filter(|s| s.export.is_none()).collect();
    assert_eq!(queries.len(), 4);
    assert_eq!((queries[0].from, queries[3].to), (window.from, window.to));
    for pair in queries.windows(2) {
        assert_eq!(pair[0].to, pair[1].from);
    }
}

#[test]
fn a_file_that_an_earlier_version_noted_has_come_no_further_since_its_run_began() {
    let id = "0198f0c0-0000-7000-8000-000000000001";
    let noted = serde_json::json!({"file": {"export": id, "file": id}});
    let part: ExportPart = serde_json::from_value(noted).unwrap();
    assert_eq!(part.since(at(7)), at(7));
}
