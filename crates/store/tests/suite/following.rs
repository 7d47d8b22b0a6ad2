//! Followers of links: whatever they are interrupted by, and whatever happens meanwhile, they hold
//! what is listed.

use std::collections::BTreeMap;

use domain::identity::{
    IdentityAnswer, IdentityFact, IdentityGraph, IdentityKey, IdentityLink, LinkPlace, links_after,
    resolve,
};
use domain::storage::{EpochRecord, LinkChange, PersonMapping, ReadRange, Store};
use domain::{ConnectionId, Event};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, any_history, at, carrying, event, hours};
use super::oracle::all_links;
use super::property::any_event;

const IDS: [&str; 4] = ["d1", "d2", "ada@shop.example", "anonymous"];

/// Somebody who knows only what changes of links told.
#[derive(Default)]
struct LinkFollower {
    place: Option<LinkPlace>,
    known: BTreeMap<IdentityFact, IdentityLink>,
    /// The same, as a server holds it to resolve ids.
    graph: IdentityGraph,
}

impl LinkFollower {
    /// Reads once and breaks off after about `most` changes. Returns whether it had heard all.
    async fn hear(
        &mut self,
        store: &dyn Store,
        id: ConnectionId,
        limit: usize,
        most: usize,
    ) -> bool {
        let place = match self.place.take() {
            Some(place) => place,
            None => LinkPlace::beginning(&epoch(store, id).await),
        };
        assert!(!place.is_lost(&epoch(store, id).await));
        // As a resume token holds it.
        let place = serde_json::from_str(&serde_json::to_string(&place).unwrap()).unwrap();
        let batch = links_after(store, id, &place, limit).await.unwrap();
        let mut changes = batch.changes.into_iter().peekable();
        let mut heard = 0;
        while let Some((change, place)) = changes.next() {
            self.apply(change);
            heard += 1;
            if heard >= most && changes.peek().is_some_and(|(_, next)| *next != place) {
                self.place = Some(place);
                return false;
            }
        }
        self.place = Some(batch.place);
        batch.caught_up
    }

    fn apply(&mut self, change: LinkChange) {
        self.graph.apply(change.clone());
        let name = |link: &IdentityLink| IdentityFact::from(link.clone());
        match change {
            LinkChange::Upsert(link) => {
                assert_eq!(link.valid_to, None);
                self.known.insert(name(&link), link);
            }
            LinkChange::Ended(link) => {
                assert!(link.valid_to.is_some());
                self.known.remove(&name(&link));
            }
            LinkChange::Gone(fact) => {
                self.known.remove(&fact);
            }
        }
    }

    /// Holds what was told against what is listed.
    async fn assert_knows_all(&mut self, store: &dyn Store, id: ConnectionId) {
        while !self.hear(store, id, 3, 2).await {}
        let read_at = epoch(store, id).await.persons_read_at;
        let mut known: Vec<IdentityLink> = self.known.values().cloned().collect();
        for link in &mut known {
            if let (IdentityKey::Person(_), Some(at)) = (&link.to, read_at) {
                link.last_seen = link.last_seen.max(at);
            }
        }
        known.sort();
        assert_eq!(known, all_links(store, id, false).await);

        let ends = known.iter().map(|link| link.to.clone());
        let ids = IDS.map(|id| IdentityKey::DistinctId(id.to_owned()));
        let keys: Vec<IdentityKey> = ends.chain(ids).collect();
        let read = resolve(store, id, &keys).await.unwrap();
        let held = self
            .graph
            .resolve(&keys, read_at, IdentityAnswer::owned)
            .into_iter();
        assert_eq!(held.collect::<Option<Vec<IdentityAnswer>>>(), Some(read));
    }
}

async fn epoch(store: &dyn Store, id: ConnectionId) -> EpochRecord {
    store.epoch(id).await.unwrap().unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Page(Vec<Event>),
    Remove(Vec<Uuid>),
    Expire(i64),
    Observe(Vec<(usize, u128)>, usize),
    PersonsRead,
    Hear(usize, usize),
    HearAll,
}

fn any_step() -> impl Strategy<Value = Step> {
    let uuids = prop::collection::vec((0_u128..14).prop_map(Uuid::from_u128), 1..4);
    let mappings = prop::collection::vec((0_usize..4, 0_u128..3), 0..4);
    prop_oneof![
        6 => prop::collection::vec(any_event(), 0..8).prop_map(Step::Page),
        3 => uuids.prop_map(Step::Remove),
        1 => (0_i64..40).prop_map(Step::Expire),
        4 => (mappings, 0_usize..3).prop_map(|(mappings, range)| Step::Observe(mappings, range)),
        1 => Just(Step::PersonsRead),
        4 => (1_usize..6, 1_usize..4).prop_map(|(limit, most)| Step::Hear(limit, most)),
        1 => Just(Step::HearAll),
    ]
}

/// What a read of that number covers.
fn range(number: usize) -> ReadRange {
    match number {
        0 => ReadRange::Answered,
        1 => ReadRange::Ids(vec!["d1".to_owned(), "anonymous".to_owned()]),
        _ => ReadRange::Span {
            after: None,
            through: Some("d1".to_owned()),
        },
    }
}

async fn play(database: &dyn Database, name: &str, steps: &[Step]) {
    let mut site = Site::named(database.open().await, name).await;
    let mut follower = LinkFollower::default();
    let mut clock = hours(100);
    for step in steps {
        clock += SignedDuration::from_mins(10);
        match step {
            Step::Page(events) => {
                site.store(events).await;
            }
            Step::Remove(uuids) => {
                site.store.remove_events(&site.lease, uuids).await.unwrap();
            }
            Step::Expire(hour) => {
                let before = hours(*hour);
                site.store.expire_events(&site.lease, before).await.unwrap();
            }
            Step::Observe(mappings, covered) => {
                observe(&site, mappings, &range(*covered), clock).await;
            }
            Step::PersonsRead => site.store.persons_read(&site.lease, clock).await.unwrap(),
            Step::Hear(limit, most) => {
                follower.hear(&*site.store, site.id, *limit, *most).await;
            }
            Step::HearAll => follower.assert_knows_all(&*site.store, site.id).await,
        }
    }
    follower.assert_knows_all(&*site.store, site.id).await;
    let mut late = LinkFollower::default();
    late.assert_knows_all(&*site.store, site.id).await;
}

async fn observe(site: &Site, mappings: &[(usize, u128)], range: &ReadRange, at: Timestamp) {
    let mappings: Vec<PersonMapping> = mappings
        .iter()
        .map(|(id, person)| PersonMapping {
            distinct_id: IDS[*id].to_owned(),
            person_id: Uuid::from_u128(*person),
        })
        .collect();
    site.store
        .observe_persons(&site.lease, &mappings, range, at)
        .await
        .unwrap();
}

pub(crate) async fn a_follower_that_breaks_off_anywhere_holds_the_links_that_are_listed(
    database: &dyn Database,
) {
    any_history(
        prop::collection::vec(any_step(), 1..16),
        async |name, steps| {
            play(database, &name, &steps).await;
        },
    );
}

pub(crate) async fn a_link_that_comes_and_goes_is_told_as_it_is_now(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let named = |uuid, hour| carrying(event(uuid, "a", "d1", hours(hour)), &[("customer_id", "7")]);
    let mut follower = LinkFollower::default();
    follower.assert_knows_all(&*site.store, site.id).await;
    for gone in [false, true] {
        site.store(&[named(1, 1), named(2, 3)]).await;
        if gone {
            follower.assert_knows_all(&*site.store, site.id).await;
            assert_eq!(follower.known.len(), 1);
        }
        // The last sight goes, then the first and with it the link.
        for uuid in [2, 1] {
            let uuid = Uuid::from_u128(uuid);
            site.store
                .remove_events(&site.lease, &[uuid])
                .await
                .unwrap();
            follower.assert_knows_all(&*site.store, site.id).await;
        }
        assert!(follower.known.is_empty());
    }
}

pub(crate) async fn a_follower_from_before_what_is_forgotten_is_told_so(database: &dyn Database) {
    let mut site = Site::new(database).await;
    // The clock of what is noted is the machine's.
    let long_ago = at("2020-01-01T00:00:00Z");
    site.store(&[carrying(
        event(1, "a", "d1", long_ago),
        &[("customer_id", "7")],
    )])
    .await;
    let early = LinkPlace::beginning(&epoch(&*site.store, site.id).await);
    let mut follower = LinkFollower::default();
    follower.assert_knows_all(&*site.store, site.id).await;
    // The event is past retention, but not what was noted of its link just now.
    site.store
        .expire_events(&site.lease, long_ago + SignedDuration::from_hours(1))
        .await
        .unwrap();
    let kept = epoch(&*site.store, site.id).await;
    assert!(!early.is_lost(&kept));
    follower.assert_knows_all(&*site.store, site.id).await;
    assert!(follower.known.is_empty());
    // Much later that is past retention too.
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    site.store.expire_events(&site.lease, later).await.unwrap();
    let forgotten = epoch(&*site.store, site.id).await;
    assert!(early.is_lost(&forgotten));
    follower.assert_knows_all(&*site.store, site.id).await;
    assert!(!LinkPlace::now(&forgotten).is_lost(&forgotten));
}
