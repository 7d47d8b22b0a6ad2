//! Plans as they are read, one line a slice.

use super::*;

fn cell(index: i8, name: &str, rows: u64) -> Cell {
    Cell {
        day: day(index),
        event: EventName::from(name),
        rows,
    }
}

/// `day..day events part rows`, one line a slice.
fn shown(slices: &[Slice]) -> Vec<String> {
    let midnight = at(0);
    slices
        .iter()
        .map(|slice| {
            let events = match &slice.events {
                SliceEvents::All => "all".to_owned(),
                SliceEvents::Named(names) => names
                    .iter()
                    .map(EventName::as_str)
                    .collect::<Vec<_>>()
                    .join("+"),
            };
            let part = slice
                .part
                .map_or(String::new(), |part| format!(" {}/{}", part.index, part.of));
            let late = if slice.arrived_since.is_some() {
                " late"
            } else {
                ""
            };
            let hours = |when: Timestamp| when.duration_since(midnight).as_hours();
            format!(
                "{}..{} {events}{part} {}{late}",
                hours(slice.from),
                hours(slice.to),
                slice.expected_rows
            )
        })
        .collect()
}

fn planned(from: i64, arrivals_from: Option<i64>, cells: &[Cell]) -> Vec<String> {
    let window = Window {
        from: at(from * 3600),
        to: at(4 * 86_400),
    };
    let arrivals = arrivals_from.map(|hours| Arrivals {
        from: at(hours * 3600),
        since: at(SINCE),
    });
    shown(&plan_slices(window, arrivals, cells, RowBytes::TYPICAL))
}

#[test]
fn small_days_are_packed_together_autocapture_among_them() {
    let cells = [
        cell(0, "$pageview", 10_000),
        cell(0, "$autocapture", 500),
        cell(1, "a", 19_000),
        cell(3, "b", 10_000),
        cell(3, "$rageclick", 20),
    ];
    assert_eq!(planned(0, None, &cells), ["0..96 all 39520"]);
}

#[test]
fn wide_rows_fill_a_slice_sooner() {
    let cells = [
        cell(0, "$autocapture", 6_000),
        cell(1, "$autocapture", 6_000),
    ];
    assert_eq!(
        planned(0, None, &cells),
        ["0..24 all 6000", "24..96 all 6000"]
    );
}

#[test]
fn a_day_that_does_not_fit_in_begins_the_next_slice() {
    let cells = [
        cell(0, "a", 30_000),
        cell(1, "a", 20_000),
        cell(2, "a", 5_000),
    ];
    assert_eq!(
        planned(0, None, &cells),
        ["0..24 all 30000", "24..96 all 25000"]
    );
}

#[test]
fn a_large_day_is_split_by_names_and_a_large_event_by_its_people() {
    let cells = [
        cell(0, "a", 1_000),
        cell(1, "$pageview", 90_000),
        cell(1, "a", 25_000),
        cell(1, "b", 15_000),
        cell(1, "c", 1_000),
        cell(1, "$autocapture", 20_000),
        cell(1, "$rageclick", 1_000),
    ];
    assert_eq!(
        planned(0, None, &cells),
        [
            "0..24 all 1000",
            "24..48 $autocapture 0/2 10000",
            "24..48 $autocapture 1/2 10000",
            "24..48 $pageview 0/3 30000",
            "24..48 $pageview 1/3 30000",
            "24..48 $pageview 2/3 30000",
            "24..48 $rageclick+a 26000",
            "24..48 b+c 16000",
        ]
    );
}

#[test]
fn a_quiet_hour_of_a_small_shop_is_a_few_slices() {
    let cells = [
        cell(1, "a", 1),
        cell(2, "$pageview", 3),
        cell(3, "$pageview", 200),
        cell(3, "$autocapture", 90),
    ];
    assert_eq!(
        planned(90, Some(0), &cells),
        ["24..90 all 4 late", "90..96 all 290"]
    );
}

#[test]
fn nothing_counted_is_nothing_to_read() {
    assert_eq!(
        planned(0, Some(0), &[cell(0, "a", 0)]),
        Vec::<String>::new()
    );
}

#[test]
fn a_slice_is_halved_at_midnight_then_by_time_then_by_people_until_that_is_no_use() {
    let mut slice = Slice {
        from: at(3600),
        to: at(5 * 86_400),
        arrived_since: Some(at(SINCE)),
        events: SliceEvents::All,
        part: None,
        expected_rows: 8,
        export: None,
    };
    let halves = halve(&slice, None).unwrap();
    assert_eq!(shown(&halves), ["1..48 all 4 late", "48..120 all 4 late"]);
    let hours = halve(
        &Slice {
            to: at(5 * 3600),
            ..slice.clone()
        },
        None,
    )
    .unwrap();
    assert_eq!(shown(&hours), ["1..3 all 4 late", "3..5 all 4 late"]);
    slice.to = at(3659);
    let mut times = 0;
    while let Some(halves) = halve(&slice, None) {
        slice = halves[1].clone();
        times += 1;
    }
    assert_eq!((times, slice.part.unwrap().of), (12, 4096));
}

#[test]
fn a_slice_of_an_export_is_not_halved_for_both_halves_would_read_its_file() {
    let file = ExportPart::File {
        export: Uuid::nil(),
        file: Uuid::nil(),
        since: None,
    };
    let whole = Slice {
        from: at(0),
        to: at(7 * 86_400),
        arrived_since: None,
        events: SliceEvents::All,
        part: None,
        expected_rows: 1000,
        export: Some(file),
    };
    assert_eq!(halve(&whole, None), None);
}
