//! Clickmaps: whatever becomes of the events, they end as a naive count of those that are stored.

mod erased;
mod naive;

use std::collections::BTreeMap;

use domain::clickmap::{
    ClickCounts, ClickEvent, ClickmapPolicy, ClickmapRules, DayClickmap, DayOfClicks, DeviceType,
    is_click_event,
};
use domain::day::{day_bounds, day_of, time_zone};
use domain::elements::ClickedElement;
use domain::masking::MaskedText;
use domain::page_path::PageTemplates;
use domain::storage::{
    ClickedElementRow, ClickedPage, ClickmapSpan, ElementPlace, Store, StoreError,
};
use domain::{ConnectionId, Event};
use jiff::SignedDuration;
use jiff::civil::Date;
use proptest::prelude::*;
use uuid::Uuid;

pub(crate) use self::erased::{
    an_erased_persons_texts_are_gone_before_clickmaps_are_made_anew,
    an_erased_persons_texts_are_gone_from_clickmaps_of_another_zone_too,
    an_erasure_while_clickmaps_are_made_leaves_no_text_in_them,
};
use super::Database;
use super::fixtures::{Site, any_history, cut_off, event, hours};
use super::oracle::{EARLIEST, LATEST, Oracle};

const BUY: &str = r#"button:attr_id="buy"nth-child="1"nth-of-type="1"text="Buy""#;
const LINK: &str = r#"a:href="/cart?key=1"nth-child="2"nth-of-type="1"text="ada@shop.example";body:nth-child="2"nth-of-type="1""#;
const PATHS: [&str; 4] = [
    "/products/a",
    "/fr/products/b",
    "/us/en/cart%00%3F",
    "/account/ada@shop.example",
];
const CHAINS: [&str; 4] = [BUY, LINK, "a:broken", ""];
const NAMES: [&str; 5] = [
    "$autocapture",
    "$autocapture",
    "$rageclick",
    "$dead_click",
    "$pageview",
];
const DEVICES: [&str; 3] = ["Desktop", "Mobile", "Wearable"];
const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "Pacific/Apia"];

fn rules(number: usize) -> ClickmapPolicy {
    match number {
        0 => ClickmapPolicy::default(),
        1 => ClickmapPolicy::On(ClickmapRules {
            page_templates: PageTemplates::parse([]).unwrap(),
            ..ClickmapRules::default()
        }),
        _ => ClickmapPolicy::Off,
    }
}

/// A click of which everything follows from a few numbers.
fn click(uuid: u128, name: usize, millis: i64, traits: usize) -> Event {
    let timestamp = hours(24) + SignedDuration::from_millis(millis);
    let mut event = event(uuid, NAMES[name % 5], "d", timestamp);
    event.path = Some(PATHS[traits % 4].to_owned());
    event.elements_chain = Some(CHAINS[traits / 4 % 4].to_owned());
    event.device_type = Some(DEVICES[traits / 16 % 3].to_owned());
    event.event_type = Some(if traits % 7 == 6 { "submit" } else { "click" }.to_owned());
    event
}

/// What a store answers of all days: each page with its elements, by device and by page.
type Answer = BTreeMap<(usize, String), (ClickedPage, Vec<ClickedElementRow>)>;

fn spans() -> Vec<ClickmapSpan> {
    let span = |devices| ClickmapSpan {
        from: EARLIEST,
        to: LATEST,
        devices,
    };
    vec![
        span(Vec::new()),
        span(vec![DeviceType::Mobile, DeviceType::Other]),
    ]
}

async fn answered(store: &dyn Store, id: ConnectionId) -> Answer {
    let mut answer = Answer::new();
    for (number, span) in spans().into_iter().enumerate() {
        let mut pages: Vec<ClickedPage> = Vec::new();
        loop {
            let after = pages.last().map(ClickedPage::place);
            let next = store
                .clicked_pages(id, &span, after.as_ref(), 2)
                .await
                .unwrap();
            if next.is_empty() {
                break;
            }
            pages.extend(next);
        }
        let in_order = pages
            .iter()
            .map(|page| (std::cmp::Reverse(page.place().clicks), &page.page));
        assert!(in_order.is_sorted());
        assert!(!store.is_clicked_page(id, "/nowhere").await.unwrap());
        for page in pages {
            assert!(store.is_clicked_page(id, &page.page).await.unwrap());
            let mut elements: Vec<ClickedElementRow> = Vec::new();
            loop {
                let after = elements.last().map(|row| row.place);
                let (total, next) = store
                    .clicked_elements(id, &page.page, &span, after, 2)
                    .await
                    .unwrap();
                assert_eq!(total, page);
                if next.is_empty() {
                    break;
                }
                elements.extend(next);
            }
            answer.insert((number, page.page.clone()), (page, elements));
        }
    }
    answer
}

async fn assert_made(site: &Site, oracle: &Oracle, policy: &ClickmapPolicy) {
    assert_eq!(
        answered(&*site.store, site.id).await,
        naive::naive(oracle, policy)
    );
}

#[derive(Debug, Clone)]
enum Step {
    Page(Vec<Event>),
    Remove(Vec<u8>),
    Expire(i64),
    Zone(usize),
    Make(usize),
    CrashWhileMaking(usize, usize),
    Reopen,
}

/// Few ids, moments around midnights, and arrivals that decide who wins.
fn any_click() -> impl Strategy<Value = Event> {
    let millis = prop_oneof![
        -1_000_i64..1_000,
        86_399_000_i64..86_401_000,
        79_199_500_i64..79_200_500,
    ];
    (0_u8..24, 0_usize..5, millis, 0_usize..48, 0_i64..3).prop_map(
        |(uuid, name, millis, traits, later)| {
            let mut event = click(u128::from(uuid), name, millis, traits);
            // Rows of one precedence are alike in everything: what it does not say follows from it.
            let stamp = event.timestamp.as_millisecond();
            let traits = usize::try_from(stamp.rem_euclid(48)).unwrap();
            let alike = click(0, name, millis, traits);
            event.path = alike.path;
            event.elements_chain = alike.elements_chain;
            event.device_type = alike.device_type;
            event.event_type = alike.event_type;
            event.created_at = hours(100 + later);
            event
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(any_click(), 0..12).prop_map(Step::Page),
        1 => prop::collection::vec(0_u8..24, 0..6).prop_map(Step::Remove),
        1 => (20_i64..50).prop_map(Step::Expire),
        1 => (0_usize..3).prop_map(Step::Zone),
        3 => (0_usize..3).prop_map(Step::Make),
        2 => (0_usize..2, 0_usize..40).prop_map(|(rules, polls)| Step::CrashWhileMaking(rules, polls)),
        1 => Just(Step::Reopen),
    ]
}

async fn play(database: &dyn Database, name: &str, steps: &[Step]) {
    let mut site = Site::named(database.open().await, name).await;
    let mut oracle = Oracle::default();
    for step in steps {
        match step {
            Step::Page(events) => {
                site.store(events).await;
                oracle.apply(events);
            }
            Step::Remove(numbers) => {
                let uuids: Vec<Uuid> = numbers
                    .iter()
                    .map(|number| Uuid::from_u128(u128::from(*number)))
                    .collect();
                site.store.remove_events(&site.lease, &uuids).await.unwrap();
                oracle.remove(&uuids);
            }
            Step::Expire(hour) => {
                let before = hours(*hour);
                site.store.expire_events(&site.lease, before).await.unwrap();
                oracle.rows.retain(|_, event| event.timestamp >= before);
            }
            Step::Zone(number) => {
                let zone = ZONES[*number];
                site.store.set_time_zone(&site.lease, zone).await.unwrap();
                oracle.zone = Some(zone.to_owned());
            }
            Step::Make(number) => {
                let policy = rules(*number);
                site.store
                    .make_clickmaps(&site.lease, &policy)
                    .await
                    .unwrap();
                assert_made(&site, &oracle, &policy).await;
            }
            Step::CrashWhileMaking(number, polls) => {
                let policy = rules(*number);
                cut_off(site.store.make_clickmaps(&site.lease, &policy), *polls).await;
                site.store = database.open().await;
            }
            Step::Reopen => site.store = database.open().await,
        }
    }
    let policy = rules(0);
    site.store
        .make_clickmaps(&site.lease, &policy)
        .await
        .unwrap();
    assert_made(&site, &oracle, &policy).await;
    // Nothing is left to be done.
    assert_eq!(
        site.store
            .make_clickmaps(&site.lease, &policy)
            .await
            .unwrap(),
        0
    );
}

pub(crate) async fn any_order_split_and_repetition_ends_in_the_naive_clickmaps(
    database: &dyn Database,
) {
    any_history(
        prop::collection::vec(any_step(), 1..12),
        async |name, steps| {
            play(database, &name, &steps).await;
        },
    );
}

/// A site with clicks on two days, and what it holds.
async fn clicked(database: &dyn Database) -> (Site, Oracle) {
    let mut site = Site::new(database).await;
    let mut oracle = Oracle::default();
    let clicks: Vec<Event> = (0..40)
        .map(|n| {
            click(
                n,
                usize::try_from(n % 5).unwrap(),
                i64::try_from(n).unwrap() * 3_600_000,
                usize::try_from(n).unwrap(),
            )
        })
        .collect();
    site.store(&clicks).await;
    oracle.apply(&clicks);
    (site, oracle)
}

pub(crate) async fn a_crash_between_a_page_and_its_clickmaps_loses_no_click(
    database: &dyn Database,
) {
    let (mut site, mut oracle) = clicked(database).await;
    let policy = ClickmapPolicy::default();
    site.store
        .make_clickmaps(&site.lease, &policy)
        .await
        .unwrap();
    let late = [click(100, 0, 5, 0), click(7, 0, 90_000_000, 4)];
    site.store(&late).await;
    oracle.apply(&late);
    site.store = database.open().await;
    site.store
        .make_clickmaps(&site.lease, &policy)
        .await
        .unwrap();
    assert_made(&site, &oracle, &policy).await;
}

pub(crate) async fn a_crash_while_clickmaps_are_made_leaves_them_to_the_next_call(
    database: &dyn Database,
) {
    let (mut site, oracle) = clicked(database).await;
    let policy = ClickmapPolicy::default();
    for polls in (1..200).step_by(7) {
        cut_off(site.store.make_clickmaps(&site.lease, &policy), polls).await;
        site.store = database.open().await;
        let answer = answered(&*site.store, site.id).await;
        let switched = site
            .store
            .epoch(site.id)
            .await
            .unwrap()
            .unwrap()
            .clickmap_rules;
        assert!(
            switched.is_some() || answer.is_empty(),
            "what is built is not seen"
        );
    }
    site.store
        .make_clickmaps(&site.lease, &policy)
        .await
        .unwrap();
    assert_made(&site, &oracle, &policy).await;
}

pub(crate) async fn other_clickmaps_that_are_given_up_leave_what_is_due_to_those_in_force(
    database: &dyn Database,
) {
    let (mut site, mut oracle) = clicked(database).await;
    let policy = rules(0);
    let make = async |site: &Site| {
        let made = site.store.make_clickmaps(&site.lease, &policy).await;
        made.unwrap();
    };
    make(&site).await;
    for polls in (1..120).step_by(4) {
        let late = [click(1_000 + polls as u128, 0, polls as i64, 0)];
        site.store(&late).await;
        oracle.apply(&late);
        cut_off(site.store.make_clickmaps(&site.lease, &rules(1)), polls).await;
        site.store = database.open().await;
        make(&site).await;
        assert_made(&site, &oracle, &policy).await;
    }
}

pub(crate) async fn a_change_of_rules_or_zone_makes_all_clickmaps_anew(database: &dyn Database) {
    let (site, mut oracle) = clicked(database).await;
    let mut revision = 0;
    for (zone, number) in [
        ("UTC", 0),
        ("Asia/Kathmandu", 0),
        ("Asia/Kathmandu", 1),
        ("UTC", 0),
    ] {
        site.store.set_time_zone(&site.lease, zone).await.unwrap();
        oracle.zone = Some(zone.to_owned());
        let policy = rules(number);
        assert!(
            site.store
                .make_clickmaps(&site.lease, &policy)
                .await
                .unwrap()
                > 0
        );
        assert_made(&site, &oracle, &policy).await;
        let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
        assert_eq!(epoch.clickmap_rules.as_ref(), policy.rules());
        assert!(
            epoch.mapping_revision > revision,
            "tokens of before are stale"
        );
        revision = epoch.mapping_revision;
    }
}

pub(crate) async fn a_zone_that_comes_back_finds_what_came_meanwhile(database: &dyn Database) {
    let (mut site, mut oracle) = clicked(database).await;
    let policy = rules(0);
    for zone in ["UTC", "Asia/Kathmandu", "UTC"] {
        site.store.set_time_zone(&site.lease, zone).await.unwrap();
        oracle.zone = Some(zone.to_owned());
        if zone == "UTC" {
            site.store
                .make_clickmaps(&site.lease, &policy)
                .await
                .unwrap();
            assert_made(&site, &oracle, &policy).await;
        } else {
            // Late in the evening of UTC, when it is the next day there.
            let late: Vec<Event> = (100..104).map(|n| click(n, 0, 20 * 3_600_000, 0)).collect();
            site.store(&late).await;
            oracle.apply(&late);
        }
    }
}

pub(crate) async fn clickmaps_that_are_switched_off_are_gone_and_come_back_whole(
    database: &dyn Database,
) {
    let (site, oracle) = clicked(database).await;
    for policy in [
        ClickmapPolicy::default(),
        ClickmapPolicy::Off,
        ClickmapPolicy::default(),
    ] {
        site.store
            .make_clickmaps(&site.lease, &policy)
            .await
            .unwrap();
        assert_made(&site, &oracle, &policy).await;
        let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
        assert_eq!(epoch.clickmap_rules.as_ref(), policy.rules());
    }
}

pub(crate) async fn only_days_whose_clicks_changed_are_made_anew(database: &dyn Database) {
    let (mut site, _) = clicked(database).await;
    let policy = ClickmapPolicy::default();
    let made = site
        .store
        .make_clickmaps(&site.lease, &policy)
        .await
        .unwrap();
    // Two days, and the eve of the first: a click at midnight may be one with a click of that.
    assert_eq!(made, 3);
    let noon = 12 * 3_600_000;
    for (page, days) in [
        (vec![click(0, 0, 0, 0)], 0),
        (vec![event(500, "seen", "d", hours(30))], 0),
        (vec![click(501, 0, noon, 0)], 1),
        // Near midnight it may be one with a click of the other day.
        (vec![click(502, 0, 1_000, 0)], 2),
    ] {
        site.store(&page).await;
        let made = site
            .store
            .make_clickmaps(&site.lease, &policy)
            .await
            .unwrap();
        assert_eq!(made, days, "{page:?}");
    }
}

pub(crate) async fn what_is_stored_of_an_element_is_masked(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut clicks = vec![click(1, 0, 0, 4), click(2, 0, 1, 7)];
    clicks[1].elements_chain = Some(
        r#"input:attr_id="ada@shop.example"nth-child="1"nth-of-type="1"text="4111 1111 1111 1111""#
            .to_owned(),
    );
    clicks[1].path = Some("/orders/ada%40shop.example".to_owned());
    site.store(&clicks).await;
    site.store
        .make_clickmaps(&site.lease, &ClickmapPolicy::default())
        .await
        .unwrap();
    let shown = format!("{:?}", answered(&*site.store, site.id).await);
    assert!(
        !shown.contains("shop.example") && !shown.contains("4111") && !shown.contains("key=1"),
        "{shown}"
    );
    assert!(
        shown.contains("[email]") && shown.contains("[card]"),
        "{shown}"
    );
}

pub(crate) async fn clickmaps_need_the_lease(database: &dyn Database) {
    let (site, oracle) = clicked(database).await;
    let policy = ClickmapPolicy::default();
    site.store
        .make_clickmaps(&site.lease, &policy)
        .await
        .unwrap();
    site.store.release_lease(&site.lease).await.unwrap();
    for policy in [ClickmapPolicy::default(), ClickmapPolicy::Off, rules(1)] {
        let refused = site.store.make_clickmaps(&site.lease, &policy).await;
        assert!(matches!(refused, Err(StoreError::FenceLost)));
    }
    assert_made(&site, &oracle, &policy).await;
}
