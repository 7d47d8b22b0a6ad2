mod naive;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use self::naive::naive;
use super::*;
use crate::event::EventName;

const BUY: &str = r#"button:attr_id="buy"nth-child="1"nth-of-type="1"text="Buy""#;
const LINK: &str = r#"a:href="/cart?token=1"nth-child="2"nth-of-type="1"text="Ask ada@shop.example";body:nth-child="2"nth-of-type="1""#;

/// Midnight, from which tests count.
fn midnight() -> Timestamp {
    "2026-10-24T00:00:00Z".parse().unwrap()
}

fn at(millis: i64) -> Timestamp {
    midnight() + SignedDuration::from_millis(millis)
}

fn click(uuid: u128, name: &str, millis: i64, chain: &str) -> ClickEvent {
    ClickEvent {
        uuid: Uuid::from_u128(uuid),
        timestamp: at(millis),
        event: EventName::from(name),
        event_type: Some("click".to_owned()),
        distinct_id: "d".to_owned(),
        session_id: Some("s".to_owned()),
        window_id: Some("w".to_owned()),
        path: Some("/products/red-shirt".to_owned()),
        device_type: Some("Desktop".to_owned()),
        elements_chain: Some(chain.to_owned()),
    }
}

/// The clickmap of the day that begins at midnight.
fn of_day(events: &[ClickEvent]) -> DayClickmap {
    let rules = ClickmapRules::default();
    let mut day = DayOfClicks::new(&rules, midnight(), at(86_400_000));
    let mut events = events.to_vec();
    events.sort_by_key(|event| (event.timestamp, event.uuid));
    for event in &events {
        day.add(event);
    }
    day.finish()
}

fn counts(clicks: u64, rage: u64, dead: u64) -> ClickCounts {
    ClickCounts { clicks, rage, dead }
}

#[test]
fn a_click_that_several_events_tell_of_is_counted_once() {
    let map = of_day(&[
        click(1, "$autocapture", 0, BUY),
        click(2, "$rageclick", 400, BUY),
        click(3, "$autocapture", 401, BUY),
        click(4, "$dead_click", 410, BUY),
        click(5, "$autocapture", 9_000, LINK),
    ]);
    let all: Vec<ClickCounts> = map.elements.iter().map(|row| row.counts).collect();
    assert!(
        all.contains(&counts(2, 1, 1)) && all.contains(&counts(1, 0, 0)),
        "{all:?}"
    );
    assert_eq!(map.pages.len(), 1);
    assert_eq!(map.pages[0].page.as_str(), "/products/*");
    assert_eq!(map.pages[0].counts, counts(3, 1, 1));
}

#[test]
fn submitted_forms_and_changed_fields_are_no_clicks() {
    let typed = |event_type: &str| ClickEvent {
        event_type: Some(event_type.to_owned()),
        ..click(1, "$autocapture", 0, BUY)
    };
    assert_eq!(
        of_day(&[typed("submit"), typed("change")]),
        DayClickmap::default()
    );
}

#[test]
fn what_cannot_be_told_apart_is_counted_as_unparsed() {
    let missing = ClickEvent {
        elements_chain: None,
        ..click(3, "$dead_click", 2, "")
    };
    let map = of_day(&[
        click(1, "$autocapture", 0, "a:nth-child="),
        click(2, "$rageclick", 1, ""),
        missing,
    ]);
    assert_eq!(
        (map.pages[0].counts, map.pages[0].unparsed),
        (counts(0, 0, 0), 3)
    );
    assert!(map.elements.is_empty() && map.labels.is_empty());
}

#[test]
fn devices_are_counted_apart() {
    let on = |uuid, device: Option<&str>| ClickEvent {
        device_type: device.map(str::to_owned),
        ..click(uuid, "$autocapture", 0, BUY)
    };
    let map = of_day(&[on(1, Some("MOBILE")), on(2, Some("Console")), on(3, None)]);
    let found: Vec<_> = map
        .elements
        .iter()
        .map(|row| (row.device, row.counts.clicks))
        .collect();
    assert_eq!(found, [(DeviceType::Mobile, 1), (DeviceType::Other, 2)]);
    assert_eq!(
        map.labels.len(),
        1,
        "one element looks the same on all of them"
    );
}

#[test]
fn nothing_that_a_visitor_typed_is_kept() {
    let map = of_day(&[click(1, "$autocapture", 0, LINK)]);
    let label = &map.labels[0].label;
    assert_eq!(label.text.as_ref().unwrap().as_str(), "Ask [email]");
    assert_eq!(label.href.as_ref().unwrap().as_str(), "/cart");
}

#[test]
fn a_click_over_midnight_is_counted_on_one_day() {
    let events = [
        click(1, "$rageclick", -100, BUY),
        click(2, "$autocapture", 100, BUY),
    ];
    assert_eq!(of_day(&events), DayClickmap::default());
    let rules = ClickmapRules::default();
    let mut before = DayOfClicks::new(&rules, at(-86_400_000), midnight());
    events.iter().for_each(|event| before.add(event));
    assert_eq!(before.finish().pages[0].counts, counts(1, 1, 0));
}

#[test]
fn a_click_whose_events_are_stamped_on_both_sides_of_midnight_is_counted_on_one_day() {
    let rules = ClickmapRules::default();
    for raging in [false, true] {
        let mut events = vec![
            click(1, "$dead_click", -200, BUY),
            click(2, "$autocapture", 100, BUY),
        ];
        if raging {
            events.insert(1, click(3, "$rageclick", -100, BUY));
        }
        assert_eq!(of_day(&events), DayClickmap::default());
        let mut before = DayOfClicks::new(&rules, at(-86_400_000), midnight());
        events.iter().for_each(|event| before.add(event));
        let expected = counts(1, u64::from(raging), 1);
        assert_eq!(before.finish().pages[0].counts, expected);
    }
}

#[test]
fn a_device_is_stored_by_a_number_of_its_own() {
    use strum::IntoEnumIterator;
    for device in DeviceType::iter() {
        assert_eq!(DeviceType::from_number(device.number()), Some(device));
    }
    assert_eq!(DeviceType::from_number(9), None);
}

prop_compose! {
    fn any_event()(
        uuid in any::<u128>(),
        name in prop::sample::select(vec!["$autocapture", "$autocapture", "$autocapture", "$rageclick", "$dead_click", "$pageview"]),
        event_type in prop::sample::select(vec![None, Some("click"), Some("click"), Some("submit")]),
        // Around midnight and the next one.
        millis in prop_oneof![-7_000_i64..7_000, 86_393_000_i64..86_407_000, 3_000_000_i64..3_002_000],
        window in prop::sample::select(vec![None, Some("w1"), Some("w2")]),
        path in prop::sample::select(vec![None, Some("/products/a"), Some("/fr/products/b/"), Some("/cart"), Some("/ada@shop.example")]),
        device in prop::sample::select(vec![None, Some("Desktop"), Some("Mobile")]),
        chain in prop::sample::select(vec![BUY, BUY, LINK, "a", "", "div:nth-child=\"1\""]),
    ) -> ClickEvent {
        ClickEvent {
            event_type: event_type.map(str::to_owned),
            window_id: window.map(str::to_owned),
            path: path.map(str::to_owned),
            device_type: device.map(str::to_owned),
            ..click(uuid, name, millis, chain)
        }
    }
}

proptest! {
    #[test]
    fn a_day_comes_to_what_a_naive_count_of_all_events_does(
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        prop_assert_eq!(of_day(&events), naive(&events, midnight(), at(86_400_000)));
    }
}
