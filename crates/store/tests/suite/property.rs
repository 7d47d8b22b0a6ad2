//! The whole of it against the oracle: rows in any order, split into any pages, sent any number of
//! times, with removals, expiry, erasures cut off anywhere, changes of mapping and zone, crashes and
//! reopening in between.

use std::collections::BTreeSet;

use domain::Event;
use domain::connection::ConnectionName;
use domain::erasure::erase;
use domain::identity::IdentityKey;
use proptest::prelude::*;
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, any_history, carrying, cut_off, event, hours, mapping};
use super::oracle::{EARLIEST, Follower, LATEST, Oracle};

#[derive(Debug, Clone)]
enum Step {
    Page(Vec<Event>),
    Remove(Vec<Uuid>),
    Expire(i64),
    Remap(usize),
    Zone(usize),
    Erase(usize, usize),
    Reopen,
    Follow,
}

const PEOPLE: [&str; 4] = ["d1", "d2", "ada@shop.example", "anonymous"];

const ZONES: [&str; 3] = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"];

fn mappings(number: usize) -> domain::Mapping {
    match number {
        0 => mapping(&["add"], &["checkout"]),
        1 => mapping(&["checkout", "search"], &[]),
        _ => mapping(&[], &["add", "search"]),
    }
}

/// All that is not part of the precedence follows from it, as in PostHog. Who did it follows from the
/// rest: of an erased row only the times are kept, so that a tie with another's row cannot be decided.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    (0_u128..12, 0_i64..3, 0_i64..72, 0_usize..6).prop_map(|(uuid, created, stamped, name)| {
        let names = [
            "$pageview",
            "add",
            "checkout",
            "search",
            "$identify",
            "$create_alias",
        ];
        let who = usize::try_from(stamped + 2 * created).unwrap() % PEOPLE.len();
        let mut row = event(uuid, names[name], PEOPLE[who], hours(stamped));
        row.created_at = hours(created);
        row.path = Some(if stamped % 2 == 0 { "/products/x" } else { "/" }.to_owned());
        row.anon_distinct_id = Some(PEOPLE[(who + 1) % 4].to_owned());
        row.alias = Some(format!("alias {}", stamped % 2));
        let customer = (stamped % 3).to_string();
        match (name + who) % 3 {
            0 => carrying(row, &[("customer_id", &customer)]),
            1 => carrying(row, &[("customer_id", &customer), ("clientId", "c")]),
            _ => row,
        }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let uuids = prop::collection::vec((0_u128..14).prop_map(Uuid::from_u128), 1..4);
    prop_oneof![
        8 => prop::collection::vec(any_event(), 0..10).prop_map(Step::Page),
        2 => uuids.prop_map(Step::Remove),
        1 => (0_i64..40).prop_map(Step::Expire),
        1 => (0_usize..3).prop_map(Step::Remap),
        1 => (0_usize..3).prop_map(Step::Zone),
        1 => (0_usize..PEOPLE.len(), 0_usize..40).prop_map(|(who, polls)| Step::Erase(who, polls)),
        1 => Just(Step::Reopen),
        2 => Just(Step::Follow),
    ]
}

/// What the steps come to: every row that was sent, and who was erased.
#[derive(Default)]
struct Truth {
    all: Oracle,
    erased: BTreeSet<&'static str>,
    /// Erasures that were cut off somewhere.
    begun: BTreeSet<&'static str>,
}

impl Truth {
    fn is_erased(&self, event: &Event) -> bool {
        self.erased.contains(event.distinct_id.as_str())
    }

    /// What must be seen of it.
    fn seen(&self) -> Oracle {
        let mut seen = self.all.clone();
        seen.rows.retain(|_, event| !self.is_erased(event));
        seen
    }

    /// Goes on with erasures that were cut off, as whoever asked for them does.
    async fn settle(&mut self, site: &Site, name: &ConnectionName) {
        for who in std::mem::take(&mut self.begun) {
            let key = IdentityKey::DistinctId(who.to_owned());
            erase(&*site.store, name, &key, hours(0)).await.unwrap();
            self.erased.insert(who);
        }
    }
}

async fn play(database: &dyn Database, name: &str, steps: &[Step]) {
    let mut site = Site::named(database.open().await, name).await;
    let connection = ConnectionName::new("acme", name);
    let mut truth = Truth::default();
    let mut follower = Follower::default();
    for step in steps {
        match step {
            Step::Page(events) => {
                site.store(events).await;
                truth.all.apply(events);
            }
            Step::Remove(uuids) => {
                truth.settle(&site, &connection).await;
                let seen = truth.seen();
                let there: BTreeSet<&Uuid> = uuids
                    .iter()
                    .filter(|it| seen.rows.contains_key(it))
                    .collect();
                let removed = site.store.remove_events(&site.lease, uuids).await.unwrap();
                assert_eq!(removed, there.len() as u64);
                truth.all.rows.retain(|uuid, _| !there.contains(uuid));
            }
            Step::Expire(hour) => {
                let before = hours(*hour);
                site.store.expire_events(&site.lease, before).await.unwrap();
                truth.all.rows.retain(|_, event| event.timestamp >= before);
                follower.rows.retain(|_, row| row.event.timestamp >= before);
            }
            Step::Remap(number) => {
                let mapped = mappings(*number);
                site.store.remap(&site.lease, &mapped).await.unwrap();
                truth.all.mapping = Some(mapped);
            }
            Step::Zone(number) => {
                let zone = ZONES[*number];
                site.store.set_time_zone(&site.lease, zone).await.unwrap();
                truth.all.zone = Some(zone.to_owned());
            }
            Step::Erase(who, polls) => {
                let key = IdentityKey::DistinctId(PEOPLE[*who].to_owned());
                cut_off(erase(&*site.store, &connection, &key, hours(0)), *polls).await;
                truth.begun.insert(PEOPLE[*who]);
            }
            Step::Reopen => site.store = database.open().await,
            Step::Follow => {
                truth.settle(&site, &connection).await;
                follower.catch_up(&*site.store, site.id).await;
                // An event may have moved past the border of an expiry before it was told.
                follower.assert_knows(&truth.seen());
            }
        }
    }
    truth.settle(&site, &connection).await;
    let seen = truth.seen();
    seen.assert_kept(&*site.store, site.id).await;
    let mut late = Follower::default();
    late.catch_up(&*site.store, site.id).await;
    late.assert_knows(&seen);
    let erased = site
        .store
        .erased_by_utc_day(site.id, EARLIEST, LATEST)
        .await;
    let erased: u64 = erased.unwrap().into_iter().map(|(_, events)| events).sum();
    assert_eq!(erased, (truth.all.rows.len() - seen.rows.len()) as u64);
}

pub(crate) async fn any_order_split_and_repetition_ends_in_the_oracles_state(
    database: &dyn Database,
) {
    any_history(
        prop::collection::vec(any_step(), 1..14),
        async |name, steps| {
            play(database, &name, &steps).await;
        },
    );
}
