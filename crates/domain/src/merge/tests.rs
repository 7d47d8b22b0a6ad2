mod naive;

use jiff::SignedDuration;
use proptest::prelude::*;

use self::naive::Naive;
use super::*;
use crate::day::{day_of, time_zone};
use crate::identity::IdPropertyKind;
use crate::mapping::{CheckoutSource, StageMapping, StageRule, StageSource};

fn mapping() -> Mapping {
    let stage = |stage, names: &[&str]| StageMapping {
        stage,
        source: StageSource::Override,
        rules: names
            .iter()
            .map(|name| StageRule {
                name: EventName::from(*name),
                url_path: None,
            })
            .collect(),
    };
    Mapping {
        stages: vec![
            stage(PostHogStage::ProductViewed, &["Product Viewed"]),
            stage(PostHogStage::AddedToCart, &["Product Added", "add_to_cart"]),
        ],
        checkout_source: CheckoutSource::Auto,
    }
}

fn id_properties() -> Vec<IdProperty> {
    vec![IdProperty {
        kind: IdPropertyKind::Customer,
        property: "customer_id".to_owned(),
    }]
}

/// Around the end of summer time in Berlin, so that days have edges within the range.
fn instant(hours: i64) -> Timestamp {
    let start: Timestamp = "2026-10-24T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_hours(hours)
}

/// All columns follow from these, as in PostHog a row is never sent twice with the same
/// precedence and other content.
fn row(uuid: u8, created: i64, stamped: i64, name: u8, who: u8) -> Event {
    let names = [
        "$pageview",
        "Product Viewed",
        "Product Added",
        "add_to_cart",
        "$identify",
        "$create_alias",
    ];
    let people = ["d1", "d2", "ada@shop.example", "anonymous"];
    let customers = ["7", "8", "null"];
    let customer = customers.get(usize::from(who.wrapping_add(name)) % 4);
    Event {
        uuid: Uuid::from_u128(u128::from(uuid)),
        event: EventName::from(names[usize::from(name) % 6]),
        distinct_id: people[usize::from(who) % 4].to_owned(),
        timestamp: instant(stamped),
        created_at: instant(created),
        anon_distinct_id: Some(people[(usize::from(who) + 1) % 4].to_owned()),
        alias: Some("another".to_owned()),
        id_properties: customer
            .map(|id| ("customer_id".to_owned(), (*id).to_owned()))
            .into_iter()
            .collect(),
        ..crate::event::tests::blank()
    }
}

fn any_row() -> impl Strategy<Value = Event> {
    (0_u8..6, 0_i64..4, 0_i64..72, 0_u8..6, 0_u8..4)
        .prop_map(|(uuid, created, stamped, name, who)| row(uuid, created, stamped, name, who))
}

fn days() -> DayEdges {
    let zone = time_zone("Europe/Berlin").unwrap();
    DayEdges::covering(&zone, instant(0), instant(72))
}

proptest! {
    #[test]
    fn any_split_order_and_repetition_of_rows_ends_like_a_naive_recount(
        rows in prop::collection::vec(any_row(), 0..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        page in 1_usize..10,
    ) {
        let mut sent = rows.clone();
        if !rows.is_empty() {
            sent.extend(order.iter().map(|index| index.get(&rows).clone()));
        }
        let mut store = Naive::default();
        let mut total = 0;
        for page in sent.chunks(page) {
            let outcome = store.apply(page.to_vec(), &days());
            total += outcome.stored + outcome.updated + outcome.duplicates;
        }
        prop_assert_eq!(total, sent.len() as u64);
        prop_assert_eq!(store, Naive::recount(&rows));
    }

    #[test]
    fn a_page_applied_twice_changes_nothing(rows in prop::collection::vec(any_row(), 0..40)) {
        let mut store = Naive::default();
        store.apply(rows.clone(), &days());
        let (mapping, id_properties, days) = (mapping(), id_properties(), days());
        let placement = Placement { mapping: &mapping, days: &days, id_properties: &id_properties };
        let again = merge(&store.stored(), rows.clone(), &placement, instant(24));
        prop_assert!(again.inserts.is_empty() && again.replacements.is_empty());
        prop_assert!(again.deltas.is_empty());
        prop_assert_eq!(
            again.outcome,
            PageOutcome { duplicates: rows.len() as u64, ..PageOutcome::default() }
        );
    }

    #[test]
    fn removing_rows_takes_back_all_that_they_counted(
        rows in prop::collection::vec(any_row(), 1..40),
        gone in 0_u8..6,
    ) {
        let mut store = Naive::default();
        store.apply(rows.clone(), &days());
        let gone = Uuid::from_u128(u128::from(gone));
        let removed: Vec<_> = store.stored().into_iter().filter(|row| row.uuid == gone).collect();
        store.rows.remove(&gone);
        store.apply_deltas(Deltas::of_removal(&removed, &days(), &id_properties()));
        let rest: Vec<_> = rows.into_iter().filter(|row| row.uuid != gone).collect();
        prop_assert_eq!(store, Naive::recount(&rest));
    }
}

#[test]
fn only_new_events_before_the_window_count_as_late() {
    let mut store = Naive::default();
    let outcome = store.apply(vec![row(1, 30, 23, 0, 0), row(2, 30, 24, 0, 0)], &days());
    assert_eq!((outcome.stored, outcome.late), (2, 1));
    let outcome = store.apply(vec![row(1, 31, 22, 0, 0)], &days());
    assert_eq!((outcome.updated, outcome.late), (1, 0));
}

#[test]
fn a_corrected_timestamp_moves_the_count_and_tells_when_the_fact_was_unsaid() {
    let mut store = Naive::default();
    store.apply(vec![row(1, 0, 1, 1, 0)], &days());
    let (mapping, id_properties, days) = (mapping(), id_properties(), days());
    let placement = Placement {
        mapping: &mapping,
        days: &days,
        id_properties: &id_properties,
    };
    let merged = merge(
        &store.stored(),
        vec![row(1, 1, 50, 1, 0)],
        &placement,
        instant(0),
    );
    assert_eq!(
        merged
            .deltas
            .events
            .iter()
            .map(|d| d.delta)
            .collect::<Vec<_>>(),
        [-1, 1]
    );
    assert_eq!(
        merged
            .deltas
            .stages
            .iter()
            .map(|d| d.delta)
            .collect::<Vec<_>>(),
        [-1, 1]
    );
    let [fact] = &merged.deltas.facts[..] else {
        panic!("one fact moves: {:?}", merged.deltas.facts)
    };
    assert_eq!(fact.delta, 0);
    assert_eq!(fact.said, Some((instant(50), instant(50))));
    assert_eq!(fact.unsaid, Some((instant(1), instant(1))));
}

#[test]
fn restaging_moves_only_stage_counts() {
    let viewed = Some(PostHogStage::ProductViewed);
    let name = EventName::from("Product Viewed");
    let moved = [
        (&name, instant(1), None, viewed),
        (&name, instant(2), None, viewed),
        (&name, instant(3), viewed, viewed),
    ];
    let deltas = Deltas::of_restaging(moved, &days());
    assert_eq!(deltas.events, vec![]);
    assert_eq!(
        deltas.stages,
        vec![StageDelta {
            day: day_of(instant(1), &time_zone("Europe/Berlin").unwrap()),
            stage: PostHogStage::ProductViewed,
            name,
            delta: 2,
        }]
    );
}
