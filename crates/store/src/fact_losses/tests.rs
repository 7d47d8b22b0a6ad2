use domain::day::DayEdges;
use domain::merge::{Deltas, StoredRow};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::columns::any_kind;
use crate::fact_rows::{Gains, part};
use crate::values::micros;

/// Few ids, properties and moments, so that much coincides.
fn row(number: usize, second: i64, who: usize, customer: usize) -> StoredRow {
    let at = Timestamp::from_second(second).unwrap();
    let customers = [None, Some("7"), Some("8"), Some("9")];
    StoredRow {
        uuid: Uuid::from_u128(number as u128),
        created_at: at,
        timestamp: at,
        event: "$identify".into(),
        distinct_id: ["d1", "d2"][who].to_owned(),
        stage: None,
        id_properties: customers[customer]
            .map(|value| ("customer_id".to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        anon_distinct_id: (customer == 3).then(|| "anonymous-1".to_owned()),
        alias: None,
    }
}

fn group(row: &StoredRow) -> Group {
    Group {
        distinct_id: row.distinct_id.clone(),
        id_properties: row.id_properties.clone(),
        asks: Some("$identify".to_owned()),
        other_id: row.anon_distinct_id.clone(),
    }
}

/// What rows say, counted from all of them.
fn naive(rows: &[StoredRow]) -> Gains {
    let mut facts = Gains::new();
    for row in rows {
        let at = micros(row.timestamp);
        for key in group(row).keys().unwrap() {
            facts
                .entry(key)
                .and_modify(|said| {
                    said.events += 1;
                    said.first = said.first.min(at);
                    said.last = said.last.max(at);
                })
                .or_insert(Said {
                    events: 1,
                    first: at,
                    last: at,
                });
        }
    }
    facts
}

/// As the database answers.
fn events_at(rows: &[StoredRow], end: End, place: &Place) -> Vec<(i64, Group)> {
    let mut found: Vec<(i64, Group)> = rows
        .iter()
        .filter(|row| row.distinct_id == place.distinct_id)
        .map(|row| (micros(row.timestamp), group(row)))
        .filter(|(at, _)| end.further(*at, place.from) == *at)
        .collect();
    found.sort_by_key(|(at, _)| *at);
    if end == End::Last {
        found.reverse();
    }
    found.truncate(place.most);
    found
}

/// Removes rows, and returns what the facts are written as and how many events were read for that.
fn without(rows: &[StoredRow], is_removed: impl Fn(usize) -> bool) -> (Settled, usize) {
    let (mut gone, mut left) = (Vec::new(), Vec::new());
    for (n, row) in rows.iter().enumerate() {
        let to = if is_removed(n) { &mut gone } else { &mut left };
        to.push(row.clone());
    }
    let days = DayEdges::covering(&TimeZone::UTC, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    let deltas = Deltas::of_removal(&gone, &days, &[any_kind("customer_id")]);
    let (gains, losses) = part(&deltas.facts).unwrap();
    assert!(gains.is_empty());
    let stored = naive(rows).into_iter();
    let stored = stored.filter(|(key, _)| losses.contains_key(key)).collect();
    let mut settling = Settling::of(&losses, stored);
    let mut read = 0;
    for search in settling.searches() {
        loop {
            let places = search.next();
            if places.is_empty() {
                break;
            }
            for place in &places {
                let events = events_at(&left, search.end, place);
                read += events.len();
                search.take(place, &events).unwrap();
            }
        }
    }
    (settling.settle(), read)
}

proptest! {
    #[test]
    fn what_is_left_is_what_counting_the_events_that_are_left_says(
        drawn in prop::collection::vec((0_i64..6, 0_usize..2, 0_usize..4, any::<bool>()), 0..300),
        few in any::<bool>(),
    ) {
        let rows: Vec<StoredRow> = drawn
            .iter()
            .enumerate()
            .map(|(n, (second, who, customer, _))| row(n, *second, *who, *customer))
            .collect();
        let is_removed = |n: usize| drawn[n].3 && (n.is_multiple_of(16) || !few);
        let (settled, _) = without(&rows, is_removed);
        let before = naive(&rows);
        let left: Vec<StoredRow> = rows
            .iter()
            .enumerate()
            .filter(|(n, _)| !is_removed(*n))
            .map(|(_, row)| row.clone())
            .collect();
        let after = naive(&left);

        let mut written = before.clone();
        for key in &settled.gone {
            prop_assert!(written.remove(key).is_some());
        }
        written.extend(settled.kept);
        prop_assert_eq!(&written, &after);
        let differs = |key: &Key, said: &Said| match after.get(key) {
            Some(now) => (now.first, now.last) != (said.first, said.last),
            None => true,
        };
        let mut changed = settled.changed;
        changed.sort();
        let expected: Vec<Key> = before
            .iter()
            .filter(|(key, said)| differs(key, said))
            .map(|(key, _)| key.clone())
            .collect();
        prop_assert_eq!(changed, expected);
    }
}

#[test]
fn few_events_of_many_are_read() {
    let rows: Vec<StoredRow> = (0..20_000).map(|n| row(n, n as i64, 0, 1)).collect();
    let (settled, read) = without(&rows, |n| n < 100);
    assert_eq!((settled.kept.len(), settled.changed.len()), (1, 1));
    assert_eq!(settled.kept[0].1.first, 100_000_000);
    assert_eq!(read, FEW);
    // Nothing is looked up where both of its times stay.
    let (settled, read) = without(&rows, |n| n == 100);
    assert_eq!((settled.kept[0].1.events, read), (19_999, 0));
    assert!(settled.changed.is_empty());
}
