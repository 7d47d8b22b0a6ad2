//! What stored events say for suggestions, against a count that looks at every event.

use std::cell::Cell;
use std::cmp::Reverse;

use domain::mapping::{
    Candidate, NEIGHBOURS, ORDER_WITHIN, OrderEvidence, SAMPLED_EVENTS, StageRule,
};
use domain::page_path::PathPattern;
use domain::stage::PostHogStage;
use domain::{Event, EventName};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::Database;
use super::fixtures::{Site, event, hours, mapping};
use super::oracle::Oracle;

fn candidate(stage: PostHogStage) -> Candidate {
    Candidate {
        rule: StageRule {
            name: EventName::from("search"),
            url_path: None,
        },
        stage,
    }
}

/// The same on product pages alone.
fn of_product_pages(stage: PostHogStage) -> Candidate {
    let mut candidate = candidate(stage);
    candidate.rule.url_path = Some(products());
    candidate
}

fn products() -> PathPattern {
    PathPattern::parse("/products/*").unwrap()
}

/// Every stage, in funnel order, fed by each candidate in turn.
fn candidates() -> Vec<Candidate> {
    PostHogStage::ALL
        .into_iter()
        .flat_map(|stage| [candidate(stage), of_product_pages(stage)])
        .collect()
}

fn counted(oracle: &Oracle, candidate: &Candidate, since: Timestamp) -> OrderEvidence {
    let mut sample: Vec<&Event> = oracle
        .rows
        .values()
        .filter(|it| it.event == candidate.rule.name && it.timestamp >= since)
        .filter(|it| {
            let is_product = |path: &str| products().matches(path);
            candidate.rule.url_path.is_none() || it.path.as_deref().is_some_and(is_product)
        })
        .collect();
    sample.sort_by_key(|it| Reverse((it.timestamp, it.uuid)));
    sample.truncate(SAMPLED_EVENTS);
    let mut evidence = OrderEvidence::default();
    for judged in sample {
        let mut before: Vec<&Event> = Vec::new();
        let mut after: Vec<&Event> = Vec::new();
        for other in oracle.rows.values() {
            let apart = other.timestamp.duration_since(judged.timestamp);
            if other.distinct_id != judged.distinct_id || apart.abs() > ORDER_WITHIN {
                continue;
            }
            if apart.is_negative() {
                before.push(other);
            } else if apart.is_positive() {
                after.push(other);
            }
        }
        before.sort_by_key(|it| Reverse((it.timestamp, it.created_at, it.uuid)));
        after.sort_by_key(|it| (it.timestamp, it.created_at, it.uuid));
        let stages = |side: &[&Event]| -> Vec<PostHogStage> {
            let near = side.iter().take(NEIGHBOURS);
            near.filter_map(|it| oracle.row(it).stage).collect()
        };
        let (before, after) = (stages(&before), stages(&after));
        let is_other = |stage: &PostHogStage| *stage != candidate.stage;
        if before.iter().any(is_other) || after.iter().any(is_other) {
            evidence.judged += 1;
        }
        if before.iter().any(|stage| *stage < candidate.stage)
            || after.iter().any(|stage| *stage > candidate.stage)
        {
            evidence.in_order += 1;
        }
    }
    evidence
}

async fn assert_same(site: &Site, oracle: &Oracle, since: Timestamp) {
    let asked = candidates();
    let found = site.store.order_evidence(site.id, &asked, since).await;
    let expected: Vec<OrderEvidence> = asked
        .iter()
        .map(|candidate| counted(oracle, candidate, since))
        .collect();
    assert_eq!(found.unwrap(), expected);
}

async fn filled(database: &dyn Database, name: &str, events: &[Event]) -> (Site, Oracle) {
    let mut site = Site::named(database.open().await, name).await;
    let mapped = mapping(&["add"], &["checkout"]);
    site.store.remap(&site.lease, &mapped).await.unwrap();
    site.store(events).await;
    let mut oracle = Oracle {
        mapping: Some(mapped),
        ..Oracle::default()
    };
    oracle.apply(events);
    (site, oracle)
}

pub(crate) async fn an_event_is_in_order_after_an_earlier_stage_or_before_a_later_one(
    database: &dyn Database,
) {
    let viewed = |uuid, who, at| Event {
        path: Some("/products/x".to_owned()),
        ..event(uuid, "$pageview", who, at)
    };
    let (site, _) = filled(
        database,
        "shop",
        &[
            // After a view, and before a checkout.
            viewed(1, "a", hours(1)),
            event(2, "search", "a", hours(2)),
            event(3, "search", "b", hours(2)),
            event(4, "checkout", "b", hours(26)),
            // Before a view alone: it can be judged, and is not in order.
            event(5, "search", "c", hours(1)),
            viewed(6, "c", hours(2)),
            // Of another, too far away, at the same instant: they say nothing.
            event(7, "search", "d", hours(1)),
            viewed(8, "e", hours(0)),
            event(9, "search", "e", hours(25)),
            event(10, "search", "f", hours(3)),
            viewed(11, "f", hours(3)),
        ],
    )
    .await;
    let cart = [candidate(PostHogStage::AddedToCart)];
    let found = site.store.order_evidence(site.id, &cart, hours(0)).await;
    let expected = OrderEvidence {
        judged: 3,
        in_order: 2,
    };
    assert_eq!(found.unwrap(), [expected]);
    let none = site.store.order_evidence(site.id, &[], hours(0)).await;
    assert!(none.unwrap().is_empty());
    let later = site.store.order_evidence(site.id, &cart, hours(48)).await;
    assert_eq!(later.unwrap(), [OrderEvidence::default()]);
}

pub(crate) async fn only_the_newest_events_and_their_nearest_neighbours_are_looked_at(
    database: &dyn Database,
) {
    // One visitor with more events than are looked at, the stages far from the candidates.
    let minute = |count: i64| hours(0) + SignedDuration::from_mins(count);
    let mut events: Vec<Event> = (0..)
        .zip(0..260)
        .map(|(uuid, count)| Event {
            path: (count % 10 > 0).then(|| "/products/x".to_owned()),
            ..event(uuid, "search", "a", minute(count))
        })
        .collect();
    events.push(event(1000, "add", "a", minute(205)));
    events.push(event(1001, "checkout", "a", minute(30)));
    events.push(event(1002, "checkout", "a", minute(259)));
    let (site, oracle) = filled(database, "shop", &events).await;
    assert_same(&site, &oracle, hours(0)).await;
    let cart = counted(&oracle, &candidate(PostHogStage::AddedToCart), hours(0));
    assert_eq!((cart.judged, cart.in_order), (70, 49));
}

fn any_event() -> impl Strategy<Value = Event> {
    (0_u128..60, 0_i64..72, 0_usize..5, 0_usize..3).prop_map(|(uuid, stamped, name, who)| {
        let names = ["$pageview", "add", "checkout", "search", "search"];
        let mut row = event(uuid, names[name], ["a", "b", "c"][who], hours(stamped));
        row.path = Some(if stamped % 3 == 0 { "/" } else { "/products/x" }.to_owned());
        row
    })
}

pub(crate) async fn evidence_is_what_looking_at_every_event_says(database: &dyn Database) {
    let runtime = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config {
        cases: 32,
        failure_persistence: None,
        ..Config::default()
    });
    let case = Cell::new(0);
    let strategy = (prop::collection::vec(any_event(), 0..60), 0_i64..60);
    tokio::task::block_in_place(|| {
        runner
            .run(&strategy, |(events, since)| {
                case.set(case.get() + 1);
                runtime.block_on(async {
                    let name = format!("shop-{}", case.get());
                    let (site, oracle) = filled(database, &name, &events).await;
                    assert_same(&site, &oracle, hours(since)).await;
                });
                Ok(())
            })
            .unwrap();
    });
}
