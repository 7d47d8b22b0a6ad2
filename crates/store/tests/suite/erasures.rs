//! Erasing a person: what goes, what stays, and that nothing of it comes back.

use std::collections::BTreeSet;

use domain::cohorts::CohortId;
use domain::connection::ConnectionName;
use domain::erasure::{Erased, ErasureError, Meant, erase, meant, preview, resume};
use domain::identity::{IdentityKey, LinkPlace, links_after};
use domain::storage::{CohortMove, MembersMoved, PersonMapping, ReadRange};
use domain::{ConnectionId, Event};
use jiff::Timestamp;
use jiff::civil::date;
use uuid::Uuid;

use super::Database;
use super::cohorts::{Follower as CohortFollower, assert_members_of, cohort, whole};
use super::fixtures::{GRACE, Site, carrying, cut_off, event, hours, mapping, start};
use super::oracle::{EARLIEST, Follower, LATEST, Oracle, all_links};

fn shop() -> ConnectionName {
    ConnectionName::new("acme", "shop")
}

fn person(number: u128) -> Uuid {
    Uuid::from_u128(900 + number)
}

fn distinct(id: &str) -> IdentityKey {
    IdentityKey::DistinctId(id.to_owned())
}

/// Ada has two distinct ids and a person, Bob one of each, and somebody has none.
fn events() -> Vec<Event> {
    vec![
        carrying(event(1, "add", "ada-1", hours(1)), &[("customer_id", "7")]),
        event(2, "add", "ada@shop.example", hours(26)),
        carrying(
            event(3, "checkout", "bob", hours(2)),
            &[("customer_id", "8")],
        ),
        event(4, "search", "somebody", hours(3)),
    ]
}

fn of(distinct_id: &str, number: u128) -> PersonMapping {
    PersonMapping {
        distinct_id: distinct_id.to_owned(),
        person_id: person(number),
    }
}

fn mappings() -> Vec<PersonMapping> {
    vec![of("ada-1", 1), of("ada@shop.example", 1), of("bob", 2)]
}

async fn observe(site: &Site, mappings: &[PersonMapping]) {
    site.store
        .observe_persons(&site.lease, mappings, &ReadRange::Answered, hours(4))
        .await
        .unwrap();
}

/// PostHog deleted the persons of these distinct ids, kept their events, and is read again.
async fn delete_persons(site: &Site, ids: &[&str]) {
    let asked = ReadRange::Ids(ids.iter().map(|id| (*id).to_owned()).collect());
    site.store
        .observe_persons(&site.lease, &[], &asked, hours(5))
        .await
        .unwrap();
}

/// Removes the connection, for another of its name.
async fn purge(site: &Site) {
    let store = &*site.store;
    store.release_lease(&site.lease).await.unwrap();
    store.mark_deleted(&shop(), start()).await.unwrap();
    store
        .purge_connection(&shop(), start() + GRACE)
        .await
        .unwrap();
}

async fn filled(database: &dyn Database) -> Site {
    let mut site = Site::new(database).await;
    let mapped = mapping(&["add"], &["checkout"]);
    site.store.remap(&site.lease, &mapped).await.unwrap();
    site.store(&events()).await;
    observe(&site, &mappings()).await;
    site
}

/// Holds the store against an oracle that never saw the events of these distinct ids.
async fn assert_without(site: &Site, gone: &[&str]) {
    let mut oracle = Oracle {
        mapping: Some(mapping(&["add"], &["checkout"])),
        ..Oracle::default()
    };
    let left = |event: &Event| !gone.contains(&event.distinct_id.as_str());
    oracle.apply(&events().into_iter().filter(left).collect::<Vec<_>>());
    let (store, id) = (&*site.store, site.id);
    assert_eq!(
        store
            .daily_event_counts(id, EARLIEST, LATEST, &[])
            .await
            .unwrap(),
        oracle.event_counts()
    );
    assert_eq!(
        store
            .daily_stage_counts(id, EARLIEST, LATEST)
            .await
            .unwrap(),
        oracle.stage_counts()
    );
    for link in all_links(store, id, true).await {
        assert!(!gone.contains(&link.distinct_id.as_str()), "{link:?}");
    }
    let mut follower = Follower::default();
    follower.catch_up(store, id).await;
    let uuids: Vec<Uuid> = follower.rows.into_keys().collect();
    assert_eq!(uuids, oracle.rows.keys().copied().collect::<Vec<_>>());
}

async fn erased_on_days(site: &Site) -> Vec<u64> {
    let days = site
        .store
        .erased_by_utc_day(site.id, EARLIEST, LATEST)
        .await;
    days.unwrap()
        .into_iter()
        .map(|(_, events)| events)
        .collect()
}

/// All that is stored of Ada.
const ADA: Erased = Erased {
    persons: 1,
    distinct_ids: 2,
    events: 2,
    person_links: 2,
    fact_links: 2,
    cohort_stays: 0,
};

/// Every kind of id that leads to Ada.
fn keys_of_ada() -> [IdentityKey; 4] {
    [
        distinct("ada-1"),
        IdentityKey::Person(person(1)),
        IdentityKey::CustomerId(" 7 ".to_owned()),
        IdentityKey::Email("ADA@shop.example".to_owned()),
    ]
}

pub(crate) async fn any_id_of_a_person_erases_all_of_it_and_nobody_else(database: &dyn Database) {
    for key in keys_of_ada() {
        let site = filled(database).await;
        let mut follower = Follower::default();
        follower.catch_up(&*site.store, site.id).await;
        let would = preview(&*site.store, &shop(), &key).await.unwrap();
        assert_eq!(would, ADA, "{key:?}");
        assert_without(&site, &[]).await;

        let erased = erase(&*site.store, &shop(), &key, hours(5)).await.unwrap();
        assert_eq!(erased, ADA, "{key:?}");
        assert_without(&site, &["ada-1", "ada@shop.example"]).await;
        assert_eq!(erased_on_days(&site).await, [1, 1]);
        // Who followed before ends without the person.
        follower.catch_up(&*site.store, site.id).await;
        assert_eq!(follower.rows.len(), 2);
        purge(&site).await;
    }
}

pub(crate) async fn a_person_that_posthog_deleted_first_is_erased_whole(database: &dyn Database) {
    for key in keys_of_ada() {
        let mut site = filled(database).await;
        delete_persons(&site, &["ada-1", "ada@shop.example"]).await;
        for text in [&person(1).to_string(), "ada-1", "7", "ada@shop.example"] {
            let means = meant(&*site.store, &shop(), text).await.unwrap();
            assert!(matches!(means, Meant::One(_)), "{text}: {means:?}");
        }
        let would = preview(&*site.store, &shop(), &key).await.unwrap();
        assert_eq!(would, ADA, "{key:?}");
        let erased = erase(&*site.store, &shop(), &key, hours(6)).await.unwrap();
        assert_eq!(erased, ADA, "{key:?}");
        assert_without(&site, &["ada-1", "ada@shop.example"]).await;
        assert_eq!(site.store(&events()).await.stored, 0);
        purge(&site).await;
    }
}

pub(crate) async fn an_id_that_moved_on_is_not_erased_with_its_former_person(
    database: &dyn Database,
) {
    let site = filled(database).await;
    let store = &*site.store;
    let erase = async |key: &IdentityKey| erase(store, &shop(), key, hours(6)).await.unwrap();
    // One of Ada's ids is Bob's by now. The person of the other is deleted, and it comes back as another's.
    observe(&site, &[of("ada@shop.example", 2)]).await;
    delete_persons(&site, &["ada-1"]).await;
    observe(&site, &[of("ada-1", 3), of("ada-2", 1)]).await;
    delete_persons(&site, &["ada-2", "bob", "ada@shop.example"]).await;
    let erased = erase(&IdentityKey::Person(person(1))).await;
    assert_eq!((erased.distinct_ids, erased.events), (1, 0));
    assert_without(&site, &["ada-2"]).await;
    // Of several persons that it was linked to, the last one is whose it is.
    assert_eq!(erase(&distinct("bob")).await.distinct_ids, 2);
    assert_without(&site, &["ada-2", "bob", "ada@shop.example"]).await;
}

pub(crate) async fn nothing_of_an_erased_person_comes_back(database: &dyn Database) {
    let mut site = filled(database).await;
    let ada = ["ada-1", "ada@shop.example"];
    erase(&*site.store, &shop(), &distinct("ada-1"), hours(5))
        .await
        .unwrap();
    // The same page again, as a refresh, a backfill or a recount would bring it.
    let outcome = site.store(&events()).await;
    assert_eq!((outcome.stored, outcome.duplicates), (0, 4));
    observe(&site, &mappings()).await;
    assert_without(&site, &ada).await;
    assert_eq!(erased_on_days(&site).await, [1, 1]);

    // A new event of hers is refused as well, and told to recounts.
    let late = event(5, "add", "ada-1", hours(60));
    let arrived = late.created_at;
    assert_eq!(site.store(&[late]).await.rows(), 1);
    assert_without(&site, &ada).await;
    assert_eq!(erased_on_days(&site).await, [1, 1, 1]);
    let day = date(2026, 10, 26);
    let told = async |before| {
        site.store
            .erased_uuids_of_utc_day(site.id, day, before)
            .await
    };
    assert!(told(arrived).await.unwrap().is_empty());
    assert_eq!(told(Timestamp::MAX).await.unwrap(), [Uuid::from_u128(5)]);
}

pub(crate) async fn followers_of_links_begin_anew_without_the_person(database: &dyn Database) {
    let site = filled(database).await;
    let (store, id) = (&*site.store, site.id);
    let before = LinkPlace::now(&store.epoch(id).await.unwrap().unwrap());
    let nobody = IdentityKey::CustomerId("77".to_owned());
    erase(store, &shop(), &nobody, hours(5)).await.unwrap();
    assert!(!before.is_lost(&store.epoch(id).await.unwrap().unwrap()));
    erase(store, &shop(), &distinct("ada-1"), hours(5))
        .await
        .unwrap();
    let epoch = store.epoch(id).await.unwrap().unwrap();
    assert!(before.is_lost(&epoch));
    assert!(!LinkPlace::now(&epoch).is_lost(&epoch));
    // A follower that had looked at the epoch before is told when it asks what came then.
    let batch = links_after(store, id, &before, 100).await.unwrap();
    assert!(batch.is_lost && batch.changes.is_empty() && batch.place == before);
    let batch = links_after(store, id, &LinkPlace::now(&epoch), 100).await;
    assert!(!batch.unwrap().is_lost);
    // Nothing is told of it from the beginning either.
    let told = store.fact_changes(id, 0, 100).await.unwrap();
    let told = format!("{:?}", told.changes);
    assert!(!told.contains("ada") && told.contains("bob"), "{told}");
}

pub(crate) async fn an_id_that_comes_to_an_erased_person_is_erased_too(database: &dyn Database) {
    let mut site = filled(database).await;
    let key = IdentityKey::Person(person(1));
    erase(&*site.store, &shop(), &key, hours(5)).await.unwrap();
    // PostHog says with the event whose it is.
    let hers = Event {
        person_id: Some(person(1)),
        ..event(6, "add", "ada-3", hours(6))
    };
    assert_eq!(site.store(&[hers]).await.stored, 0);
    // And of another id it says so only later.
    observe(&site, &[of("somebody", 1)]).await;
    assert_without(&site, &["ada-1", "ada@shop.example", "somebody"]).await;
    assert_eq!(site.store(&events()).await.stored, 0);
}

/// Makes these persons, and nobody else, the members of a cohort that PostHog lists.
async fn gather(site: &Site, hour: i64, members: &BTreeSet<Uuid>) -> MembersMoved {
    let (store, lease) = (&*site.store, &site.lease);
    let listed = [cohort(1, members.len() as u64)];
    store
        .put_cohorts(lease, &listed, hours(hour))
        .await
        .unwrap();
    let part = whole(1, members.clone());
    store.put_members(lease, &part, hours(hour)).await.unwrap()
}

fn persons(numbers: impl IntoIterator<Item = u128>) -> BTreeSet<Uuid> {
    numbers.into_iter().map(person).collect()
}

/// What is told of each person, from the beginning.
async fn told(site: &Site) -> Vec<(Uuid, CohortMove)> {
    let changes = site.store.cohort_changes(site.id, 0, 99).await.unwrap();
    let changes = changes.into_iter();
    changes.map(|it| (it.person_id, it.kind)).collect()
}

pub(crate) async fn an_erased_person_is_in_no_cohort_nor_its_history_and_comes_into_none(
    database: &dyn Database,
) {
    let site = filled(database).await;
    gather(&site, 1, &persons([1, 2, 3])).await;
    gather(&site, 2, &persons([2, 3])).await;
    gather(&site, 3, &persons([1, 2, 3])).await;
    let mut follower = CohortFollower::default();
    follower.catch_up(&*site.store, site.id).await;
    let would = preview(&*site.store, &shop(), &distinct("ada-1")).await;
    assert_eq!(would.unwrap().cohort_stays, 2);
    let erased = erase(&*site.store, &shop(), &distinct("ada-1"), hours(4)).await;
    assert_eq!(erased.unwrap().cohort_stays, 2);

    let (cohort, left) = (CohortId(1), persons([2, 3]));
    assert_members_of(&*site.store, site.id, cohort, &left, &persons([1, 2, 3])).await;
    follower.catch_up(&*site.store, site.id).await;
    assert_eq!(follower.known()[&cohort], left);
    let entered = [2, 3].map(|number| (person(number), CohortMove::Entered(cohort)));
    let gone = (person(1), CohortMove::Erased);
    assert_eq!(told(&site).await, [&entered[..], &[gone]].concat());

    // PostHog has her in the cohort for as long as she is not deleted there.
    let again = gather(&site, 5, &persons([1, 2, 3])).await;
    assert_eq!(again, MembersMoved::default());
    let more = gather(&site, 6, &persons([1, 2, 3, 4])).await;
    assert_eq!((more.entered, more.left), (1, 0));
    let (left, has) = (persons([2, 3, 4]), persons([1, 2, 3, 4]));
    assert_members_of(&*site.store, site.id, cohort, &left, &has).await;
    // And then it is noted that she is, though nobody left.
    assert_eq!(gather(&site, 7, &left).await, MembersMoved::default());
    assert_members_of(&*site.store, site.id, cohort, &left, &left).await;
}

pub(crate) async fn who_was_merged_into_an_erased_person_is_erased_too(database: &dyn Database) {
    for early in [true, false] {
        let site = filled(database).await;
        // Bob's other id was his person's once, and is another person's now.
        observe(&site, &[of("bobby", 2), of("somebody", 3), of("other", 4)]).await;
        observe(&site, &[of("bobby", 4)]).await;
        gather(&site, 1, &persons([1, 2, 3, 4])).await;
        let merged = [of("somebody", 1), of("bobby", 1)];
        if early {
            observe(&site, &merged).await;
        }
        let erased = erase(&*site.store, &shop(), &distinct("ada-1"), hours(5)).await;
        if !early {
            observe(&site, &merged).await;
        }
        let of_early = if early { (2, 2) } else { (1, 1) };
        let erased = erased.unwrap();
        assert_eq!((erased.persons, erased.cohort_stays), of_early);
        let (left, has) = (persons([2, 4]), persons([1, 2, 3, 4]));
        assert_members_of(&*site.store, site.id, CohortId(1), &left, &has).await;
        assert_eq!(gather(&site, 6, &has).await, MembersMoved::default());
        assert_without(&site, &["ada-1", "ada@shop.example", "somebody", "bobby"]).await;
        purge(&site).await;
    }
}

pub(crate) async fn an_id_that_is_not_known_yet_is_refused_once_it_comes(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let store = site.store.clone();
    let erased = erase(&*store, &shop(), &distinct("ada-1"), start()).await;
    assert_eq!(erased.unwrap().distinct_ids, 1);
    let nobody = IdentityKey::CustomerId("7".to_owned());
    let erased = erase(&*store, &shop(), &nobody, start()).await.unwrap();
    assert_eq!(erased, Erased::default());
    let outcome = site.store(&events()).await;
    assert_eq!((outcome.stored, outcome.duplicates), (3, 1));
    let missing = ConnectionName::new("acme", "nothing");
    let refused = erase(&*store, &missing, &nobody, start()).await;
    assert!(matches!(refused, Err(ErasureError::NoConnection(name)) if name == missing));
}

pub(crate) async fn an_erased_event_counts_until_posthog_no_longer_has_it(database: &dyn Database) {
    let site = filled(database).await;
    let key = distinct("bob");
    erase(&*site.store, &shop(), &key, hours(5)).await.unwrap();
    assert_eq!(erased_on_days(&site).await, [1]);
    let gone = [Uuid::from_u128(3), Uuid::from_u128(4)];
    let forgotten = site.store.forget_erased(&site.lease, &gone).await;
    assert_eq!(forgotten.unwrap(), 1);
    assert!(erased_on_days(&site).await.is_empty());
}

pub(crate) async fn retention_forgets_erased_events_too(database: &dyn Database) {
    let site = filled(database).await;
    erase(&*site.store, &shop(), &distinct("ada-1"), hours(5))
        .await
        .unwrap();
    site.store
        .expire_events(&site.lease, hours(2))
        .await
        .unwrap();
    assert_eq!(erased_on_days(&site).await, [1]);
}

pub(crate) async fn tombstones_go_with_the_connection(database: &dyn Database) {
    let site = filled(database).await;
    let store = site.store.clone();
    erase(&*store, &shop(), &distinct("ada-1"), hours(5))
        .await
        .unwrap();
    store.mark_deleted(&shop(), start()).await.unwrap();
    // Deleted and not yet due, it can still be erased from.
    let late = erase(&*store, &shop(), &distinct("bob"), hours(5))
        .await
        .unwrap();
    assert_eq!(late.events, 1);
    store
        .purge_connection(&shop(), start() + GRACE)
        .await
        .unwrap();
    let gone = erase(&*store, &shop(), &distinct("bob"), hours(5)).await;
    assert!(matches!(gone, Err(ErasureError::NoConnection(_))));
    let mut again = Site::named(store, "shop").await;
    assert_eq!(again.store(&events()).await.stored, 4);
    assert!(erased_on_days(&again).await.is_empty());
}

pub(crate) async fn every_epoch_of_a_connection_is_erased_from(database: &dyn Database) {
    let site = filled(database).await;
    let moved = super::fixtures::desired("acme", "shop", 8);
    let record = site.store.put_connection(&moved, hours(4)).await.unwrap();
    assert_ne!(record.target, site.id);
    let epochs = site.store.epochs_of(&shop()).await.unwrap();
    assert_eq!(epochs, [site.id, record.target]);
    erase(&*site.store, &shop(), &distinct("ada-1"), hours(5))
        .await
        .unwrap();
    assert_without(&site, &["ada-1", "ada@shop.example"]).await;
}

pub(crate) async fn an_erasure_cut_off_anywhere_goes_on_when_it_is_called_again(
    database: &dyn Database,
) {
    for polls in 0..60 {
        let name = ConnectionName::new("acme", format!("shop-{polls}"));
        let mut site = Site::named(database.open().await, &name.name).await;
        let many: Vec<Event> = (0..5000)
            .map(|uuid| event(uuid, "add", "ada-1", hours(1)))
            .chain(events().into_iter().map(|it| Event {
                uuid: Uuid::from_u128(10_000 + it.uuid.as_u128()),
                ..it
            }))
            .collect();
        if polls % 20 == 0 {
            site.store(&many).await;
        } else {
            site.store(&many[4990..]).await;
        }
        observe(&site, &mappings()).await;
        let key = IdentityKey::CustomerId("7".to_owned());
        cut_off(erase(&*site.store, &name, &key, hours(5)), polls).await;
        let store = database.open().await;
        resume(&*store, &name).await.unwrap();
        // Killed before it began, it must be asked for again.
        erase(&*store, &name, &key, hours(5)).await.unwrap();
        assert_eq!(names_left(&*store, site.id).await, ["bob", "somebody"]);
        site.store = store;
        site.store(&many[4990..]).await;
        assert_eq!(names_left(&*site.store, site.id).await, ["bob", "somebody"]);
    }
}

async fn names_left(store: &dyn domain::storage::Store, id: ConnectionId) -> Vec<String> {
    let mut left: Vec<String> = super::oracle::all_events(store, id)
        .await
        .into_iter()
        .map(|row| row.event.distinct_id)
        .collect();
    left.sort();
    left.dedup();
    left
}

pub(crate) async fn a_bare_id_means_one_person_or_is_told_to_mean_several(database: &dyn Database) {
    let mut site = filled(database).await;
    let store = site.store.clone();
    let means = async |text: &str| meant(&*store, &shop(), text).await.unwrap();
    assert_eq!(means("nobody").await, Meant::Nobody);
    assert_eq!(means("somebody").await, Meant::One(distinct("somebody")));
    let customer = IdentityKey::CustomerId("7".to_owned());
    assert_eq!(means("7").await, Meant::One(customer));
    let uuid = person(1).to_string();
    assert_eq!(
        means(&uuid).await,
        Meant::One(IdentityKey::Person(person(1)))
    );
    // As an e-mail address and as a distinct id it leads to the same person.
    assert!(matches!(means("ada@shop.example").await, Meant::One(_)));
    // The customer id of one is the distinct id of another.
    site.store(&[event(9, "add", "8", hours(3))]).await;
    assert!(matches!(means("8").await, Meant::Several(keys) if keys.len() == 2));
}
