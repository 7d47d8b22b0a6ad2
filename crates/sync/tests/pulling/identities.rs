use std::collections::{BTreeMap, BTreeSet};

use domain::identity::{
    Evidence, IdProperty, IdPropertyKind, IdentityKey, PersonsStanding, persons_standing, resolve,
};
use domain::sync::SyncMode;
use jiff::SignedDuration;
use posthog_stub::{Endpoint, Event, Fault, Project};
use uuid::Uuid;

use crate::oracle::{assert_exact, project};
use crate::shop::{NOW, PROJECT, Shop, at, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The persons that the store knows, by distinct id.
pub(crate) async fn known(shop: &Shop) -> BTreeMap<String, Uuid> {
    let links = shop
        .store
        .links(shop.id(), false, None, 100_000)
        .await
        .unwrap();
    links
        .into_iter()
        .filter(|(_, link)| link.evidence == Evidence::PersonMapping)
        .filter_map(|(_, link)| match link.to {
            IdentityKey::Person(person) => Some((link.distinct_id, person)),
            _ => None,
        })
        .collect()
}

/// The persons that PostHog knows, by distinct id.
pub(crate) fn real(shop: &Shop) -> BTreeMap<String, Uuid> {
    shop.stub.read(|world| {
        let project = world.project(PROJECT).unwrap();
        project
            .distinct_ids()
            .iter()
            .map(|(id, link)| (id.to_string(), link.person_id))
            .collect()
    })
}

/// Of those, the ones of ids that have stored events.
async fn real_of_stored(shop: &Shop) -> BTreeMap<String, Uuid> {
    let rows = shop.rows().await;
    let stored: BTreeSet<&str> = rows.iter().map(|row| row.distinct_id.as_str()).collect();
    let mut real = real(shop);
    real.retain(|id, _| stored.contains(id.as_str()));
    real
}

/// What status tells of persons.
async fn standing(shop: &Shop) -> PersonsStanding {
    let epoch = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    let last = shop.store.last_complete_run(shop.id()).await.unwrap();
    persons_standing(epoch.persons_read_at, last.unwrap().started_at)
}

#[tokio::test]
async fn a_backfill_brings_every_person_mapping() {
    let shop = Shop::open(project(5, 200, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    assert!(!real(&shop).is_empty());
    assert_eq!(known(&shop).await, real(&shop));
}

#[tokio::test]
async fn a_merge_of_quiet_ids_is_seen_by_the_next_refresh() {
    let shop = Shop::open(project(5, 200, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let before = known(&shop).await;
    shop.edit(|project| project.merge("visitor-1", "visitor-2"));
    shop.pass(HOUR);
    shop.run(SyncMode::Refresh).await.unwrap();
    let after = known(&shop).await;
    assert_ne!(before, after);
    assert_eq!(after, real(&shop));
    let history = shop
        .store
        .links(shop.id(), true, None, 100_000)
        .await
        .unwrap();
    let ended = history.iter().filter(|(_, link)| link.valid_to.is_some());
    assert_eq!(ended.count(), 1, "where the moved id led before is kept");
}

#[tokio::test]
async fn the_person_of_a_new_visitor_is_known_after_the_refresh_that_brought_the_event() {
    let shop = Shop::open(project(5, 50, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.pass(HOUR);
    shop.edit(|project| {
        let stamp = at(NOW) + HOUR / 2;
        project.capture(Event::new("$pageview", "brand-new", stamp));
        project.capture(
            Event::new("$pageview", "nobody", stamp).property("$process_person_profile", false),
        );
    });
    shop.run(SyncMode::Refresh).await.unwrap();
    let known = known(&shop).await;
    assert!(known.contains_key("brand-new"));
    assert!(
        !known.contains_key("nobody"),
        "personless ids have no person"
    );
    assert_eq!(known, real(&shop));
}

#[tokio::test]
async fn what_neither_new_events_nor_overrides_tell_is_seen_by_the_daily_read() {
    let shop = Shop::open(project(5, 50, at(NOW), days(30))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let gone = *real(&shop).values().next().unwrap();
    shop.edit(|project| project.delete_person(gone, false));
    for _ in 0..25 {
        shop.pass(HOUR);
        shop.run(SyncMode::Refresh).await.unwrap();
    }
    assert_eq!(known(&shop).await, real(&shop));
}

#[tokio::test]
async fn a_project_without_persons_is_no_trouble() {
    let mut project = Project::new(PROJECT, "Shop");
    project.capture(
        Event::new("$pageview", "nobody", at(NOW) - HOUR)
            .property("$process_person_profile", false),
    );
    let shop = Shop::open(project).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.pass(HOUR);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert!(known(&shop).await.is_empty());
}

#[tokio::test]
async fn persons_too_heavy_to_read_stop_no_run_and_are_read_once_they_fit() {
    let shop = Shop::open(project(5, 200, at(NOW), days(30))).await;
    let whole = Endpoint::Named("ordinary_posthog_person_mappings");
    let some = Endpoint::Named("ordinary_posthog_persons_of");
    shop.stub.faults().always(whole, Fault::Timeout);
    shop.stub.faults().always(some, Fault::OutOfMemory);
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_exact(&shop, summary.from, summary.to).await;
    assert!(known(&shop).await.is_empty());
    let problem = summary.persons.problem.unwrap();
    for part in ["all distinct ids", "distinct ids of new events"] {
        assert!(problem.contains(part), "{problem}");
    }
    shop.edit(|project| {
        project.capture(Event::new("$pageview", "brand-new", at(NOW) + HOUR / 2));
    });
    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Refresh);
    assert!(
        shop.rows()
            .await
            .iter()
            .any(|row| row.distinct_id == "brand-new")
    );

    shop.stub.faults().clear();
    shop.pass(HOUR * 5);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(known(&shop).await, real(&shop));
}

#[tokio::test]
async fn all_mappings_too_heavy_to_read_cost_no_new_visitor_and_no_merge_and_are_told() {
    let shop = Shop::open(project(5, 200, at(NOW), days(30))).await;
    let whole = Endpoint::Named("ordinary_posthog_person_mappings");
    shop.stub.faults().always(whole, Fault::Timeout);
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    let problem = summary.persons.problem.unwrap();
    assert!(problem.contains("all distinct ids"), "{problem}");
    assert_eq!(known(&shop).await, real_of_stored(&shop).await);

    shop.edit(|project| {
        project.capture(Event::new("$pageview", "brand-new", at(NOW) + HOUR / 2));
        project.merge("visitor-1", "visitor-2");
    });
    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert!(summary.persons.changed >= 2);
    assert!(summary.persons.problem.is_some());
    assert!(known(&shop).await.contains_key("brand-new"));
    assert_eq!(known(&shop).await, real_of_stored(&shop).await);
    assert!(standing(&shop).await.problem.is_some());

    shop.stub.faults().clear();
    shop.pass(HOUR * 5);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.persons.problem, None);
    let standing = standing(&shop).await;
    assert_eq!(
        (standing.read_at, standing.problem),
        (Some(shop.clock_now()), None)
    );
}

#[tokio::test]
async fn ids_of_any_form_and_length_come_through_apart_and_junk_joins_nobody() {
    let enormous = "x".repeat(65_535);
    let apart = [
        // Case, the form of Unicode, white space and the 65,536th byte tell PostHog's ids apart.
        "ada".to_owned(),
        "Ada".to_owned(),
        "ada ".to_owned(),
        "caf\u{e9}".to_owned(),
        "cafe\u{301}".to_owned(),
        format!("{enormous}1"),
        format!("{enormous}2"),
        "' OR 1=1 --\n\"".to_owned(),
    ];
    let junk = ["undefined", "NULL", "0", "[object Object]", "00000000-0000"];
    let mails = ["ADA@shop.example", "ada@Shop.example"];
    let mut project = Project::new(PROJECT, "Shop");
    let stamp = at(NOW) - HOUR;
    let shared = |id: &str| Event::new("$pageview", id, stamp).property("customer_id", " 77 ");
    for id in apart.iter().map(String::as_str).chain(junk).chain(mails) {
        project.capture(shared(id));
    }
    for value in junk
        .map(str::to_owned)
        .into_iter()
        .chain([enormous.clone(), String::new()])
    {
        let carrying = Event::new("$pageview", "careless", stamp);
        project.capture(carrying.property("customer_id", value));
    }
    let mut shop = Shop::open(project).await;
    shop.settings.desired.id_properties = vec![IdProperty {
        kind: IdPropertyKind::Customer,
        property: "customer_id".to_owned(),
    }];
    let wanted = &shop.settings.desired;
    shop.store.put_connection(wanted, at(NOW)).await.unwrap();
    shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(
        known(&shop).await,
        real(&shop),
        "every id has the person that PostHog gives it"
    );

    let mut keys: Vec<IdentityKey> = apart.iter().cloned().map(IdentityKey::DistinctId).collect();
    keys.extend(junk.map(|id| IdentityKey::DistinctId(id.to_owned())));
    keys.push(IdentityKey::DistinctId("careless".to_owned()));
    keys.push(IdentityKey::Email(" Ada@SHOP.example ".to_owned()));
    let answers = resolve(&*shop.store, shop.id(), &keys).await.unwrap();
    let real = real(&shop);
    for answer in &answers[..apart.len() + junk.len() + 1] {
        let IdentityKey::DistinctId(id) = &answer.key else {
            panic!("{answer:?} was not asked for");
        };
        let is_short = !junk.contains(&id.as_str()) && id != "careless" && id.len() < 1_000;
        assert_eq!(answer.primary_customer_id.is_some(), is_short, "{id:.20}");
        assert!(answer.persons.contains(&real[id.as_str()]));
        if !is_short {
            assert_eq!((answer.persons.len(), answer.distinct_ids.len()), (1, 1));
        }
    }
    let mail = answers.last().unwrap();
    assert_eq!(mail.distinct_ids, ["ADA@shop.example", "ada@Shop.example"]);
    assert_eq!(
        (&mail.emails[..], mail.persons.len()),
        (&["ada@shop.example".to_owned()][..], 2)
    );

    // New events of enormous ids: each is asked about, though all together are too much for one query.
    shop.edit(|project| {
        for number in 0..20 {
            let id = format!("{enormous}-{number}");
            project.capture(Event::new("$pageview", id.as_str(), at(NOW) + HOUR / 2));
        }
    });
    shop.pass(HOUR);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(known(&shop).await, self::real(&shop));
}
