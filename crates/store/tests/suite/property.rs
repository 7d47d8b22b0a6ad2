//! The whole of it against the oracle: rows in any order, split into any pages, sent any number of
//! times, with removals, expiry, changes of mapping and zone, crashes and reopening in between.

use std::cell::Cell;

use domain::Event;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, carrying, event, hours, mapping};
use super::oracle::{Follower, Oracle};

#[derive(Debug, Clone)]
enum Step {
    Page(Vec<Event>),
    Remove(Vec<Uuid>),
    Expire(i64),
    Remap(usize),
    Zone(usize),
    Reopen,
    Follow,
}

const ZONES: [&str; 3] = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"];

fn mappings(number: usize) -> domain::Mapping {
    match number {
        0 => mapping(&["add"], &["checkout"]),
        1 => mapping(&["checkout", "search"], &[]),
        _ => mapping(&[], &["add", "search"]),
    }
}

/// All that is not part of the precedence follows from it, as in PostHog.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    (0_u128..12, 0_i64..3, 0_i64..72, 0_usize..6, 0_usize..4).prop_map(
        |(uuid, created, stamped, name, who)| {
            let names = [
                "$pageview",
                "add",
                "checkout",
                "search",
                "$identify",
                "$create_alias",
            ];
            let people = ["d1", "d2", "ada@shop.example", "anonymous"];
            let mut row = event(uuid, names[name], people[who], hours(stamped));
            row.created_at = hours(created);
            row.path = Some(if stamped % 2 == 0 { "/products/x" } else { "/" }.to_owned());
            row.anon_distinct_id = Some(people[(who + 1) % 4].to_owned());
            row.alias = Some(format!("alias {}", stamped % 2));
            let customer = (stamped % 3).to_string();
            match (name + who) % 3 {
                0 => carrying(row, &[("customer_id", &customer)]),
                1 => carrying(row, &[("customer_id", &customer), ("clientId", "c")]),
                _ => row,
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let uuids = prop::collection::vec((0_u128..14).prop_map(Uuid::from_u128), 1..4);
    prop_oneof![
        8 => prop::collection::vec(any_event(), 0..10).prop_map(Step::Page),
        2 => uuids.prop_map(Step::Remove),
        1 => (0_i64..40).prop_map(Step::Expire),
        1 => (0_usize..3).prop_map(Step::Remap),
        1 => (0_usize..3).prop_map(Step::Zone),
        1 => Just(Step::Reopen),
        2 => Just(Step::Follow),
    ]
}

async fn play(database: &dyn Database, name: &str, steps: &[Step]) {
    let mut site = Site::named(database.open().await, name).await;
    let mut oracle = Oracle::default();
    let mut follower = Follower::default();
    for step in steps {
        match step {
            Step::Page(events) => {
                site.store(events).await;
                oracle.apply(events);
            }
            Step::Remove(uuids) => {
                let there = uuids.iter().filter(|uuid| oracle.rows.contains_key(uuid));
                let expected = there.collect::<std::collections::BTreeSet<_>>().len() as u64;
                let removed = site.store.remove_events(&site.lease, uuids).await.unwrap();
                assert_eq!(removed, expected);
                oracle.remove(uuids);
            }
            Step::Expire(hour) => {
                let before = hours(*hour);
                site.store.expire_events(&site.lease, before).await.unwrap();
                oracle.rows.retain(|_, event| event.timestamp >= before);
                follower.rows.retain(|_, row| row.event.timestamp >= before);
            }
            Step::Remap(number) => {
                let mapped = mappings(*number);
                site.store.remap(&site.lease, &mapped).await.unwrap();
                oracle.mapping = Some(mapped);
            }
            Step::Zone(number) => {
                let zone = ZONES[*number];
                site.store.set_time_zone(&site.lease, zone).await.unwrap();
                oracle.zone = Some(zone.to_owned());
            }
            Step::Reopen => site.store = database.open().await,
            Step::Follow => {
                follower.catch_up(&*site.store, site.id).await;
                // An event may have moved past the border of an expiry before it was told.
                follower.assert_knows(&oracle);
            }
        }
    }
    oracle.assert_kept(&*site.store, site.id).await;
    let mut late = Follower::default();
    late.catch_up(&*site.store, site.id).await;
    late.assert_knows(&oracle);
}

pub(crate) async fn any_order_split_and_repetition_ends_in_the_oracles_state(
    database: &dyn Database,
) {
    let runtime = tokio::runtime::Handle::current();
    let steps = prop::collection::vec(any_step(), 1..14);
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    let case = Cell::new(0);
    tokio::task::block_in_place(|| {
        runner
            .run(&steps, |steps| {
                case.set(case.get() + 1);
                runtime.block_on(play(database, &format!("shop-{}", case.get()), &steps));
                Ok(())
            })
            .unwrap();
    });
}
