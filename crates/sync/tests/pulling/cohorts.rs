//! Cohorts: what a run brings of them, what it asks for that, and what goes wrong meanwhile.

mod heavy;
mod meddling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::ConnectionId;
use domain::cohorts::{CohortBucket, CohortId, CohortSelection};
use domain::erasure::erase;
use domain::identity::IdentityKey;
use domain::storage::{CohortMove, Store};
use domain::sync::SyncMode;
use jiff::{SignedDuration, Timestamp};
use posthog::{Error, Gate, GatePass, ThrottleKind};
use posthog_stub::{Cohort, Endpoint, Fault, Project};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sync::Context;
use test_store::{Fate, FatedStore};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::oracle::project;
use crate::shop::{KEY, NOW, PROJECT, Shop, at, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

type Members = BTreeMap<CohortId, BTreeSet<Uuid>>;

/// A person whose id is as random as PostHog's.
fn person(number: u32) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes())
}

fn people(numbers: impl IntoIterator<Item = u32>) -> Vec<Uuid> {
    numbers.into_iter().map(person).collect()
}

/// A shop with a few events and these cohorts.
async fn shop(cohorts: impl IntoIterator<Item = Cohort>) -> Shop {
    let mut project = project(5, 20, at(NOW), days(3));
    for mut cohort in cohorts {
        cohort.last_calculation = Some(at(NOW));
        project.add_cohort(cohort);
    }
    Shop::open(project).await
}

/// Who is in which cohort in PostHog, cohorts without anybody left out.
fn real(shop: &Shop) -> Members {
    shop.stub.read(|world| {
        let cohorts = world.project(PROJECT).unwrap().cohorts().values();
        cohorts
            .filter(|cohort| !cohort.deleted && (cohort.is_static || cohort.version.is_some()))
            .filter(|cohort| !cohort.people.is_empty())
            .map(|cohort| {
                (
                    CohortId(i64::try_from(cohort.id).unwrap()),
                    cohort.people.clone(),
                )
            })
            .collect()
    })
}

/// The same as the store has it.
async fn stored(store: &dyn Store, id: ConnectionId) -> Members {
    let mut all = Members::new();
    for record in store.cohorts(id, true, None, 1_000).await.unwrap() {
        let cohort = record.cohort.id;
        let members = store
            .cohort_members(id, cohort, None, 100_000)
            .await
            .unwrap();
        let members: BTreeSet<Uuid> = members.into_iter().map(|it| it.person_id).collect();
        assert_eq!(members.len() as u64, record.members);
        if !members.is_empty() {
            assert_eq!(record.deleted_at, None);
            all.insert(cohort, members);
        }
    }
    all
}

/// The same as a follower of changes has it.
async fn followed(store: &dyn Store, id: ConnectionId) -> Members {
    let mut all = Members::new();
    for change in store.cohort_changes(id, 0, 1_000_000).await.unwrap() {
        let person = change.person_id;
        let is_new = match change.kind {
            CohortMove::Entered(cohort) => all.entry(cohort).or_default().insert(person),
            CohortMove::Left(cohort) => all.entry(cohort).or_default().remove(&person),
            CohortMove::Erased => all.values_mut().fold(true, |_, members| {
                members.remove(&person);
                true
            }),
        };
        assert!(is_new, "{change:?}");
    }
    all.retain(|_, members| !members.is_empty());
    all
}

async fn assert_same(shop: &Shop) {
    let stored = stored(&*shop.store, shop.id()).await;
    assert_eq!(stored, real(shop));
    assert_eq!(followed(&*shop.store, shop.id()).await, stored);
}

/// The names of the queries about cohorts that PostHog was asked, each with how many rows came.
fn asked(shop: &Shop) -> Vec<(String, usize)> {
    let names = shop.stub.requests().into_iter();
    names
        .filter_map(|it| {
            Some((
                it.name?.strip_prefix("ordinary_posthog_")?.to_owned(),
                it.rows,
            ))
        })
        .filter(|(name, _)| name.starts_with("cohort") || name.starts_with("bucket"))
        .collect()
}

#[tokio::test]
async fn a_run_brings_every_cohort_with_everybody_in_it() {
    let mut fresh = Cohort::new(4, "Not computed yet").people(people(0..3));
    fresh.version = None;
    let shop = shop([
        Cohort::new(1, "Buyers").people(people(0..40)),
        Cohort::new(2, "Uploaded").fixed().people(people(20..70)),
        Cohort::new(3, "Nobody"),
        fresh,
    ])
    .await;
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!((summary.cohorts.listed, summary.cohorts.entered), (4, 90));
    assert_eq!((summary.cohorts.left, summary.cohorts.unsettled), (0, 0));
    assert_same(&shop).await;
    let records = shop.store.cohorts(shop.id(), true, None, 9).await.unwrap();
    let found: Vec<(&str, u64, Option<u64>)> = records
        .iter()
        .map(|it| (it.cohort.name.as_str(), it.members, it.cohort.mark.count))
        .collect();
    let expected = [
        ("Buyers", 40, Some(40)),
        ("Uploaded", 50, Some(50)),
        ("Nobody", 0, Some(0)),
        ("Not computed yet", 0, None),
    ];
    assert_eq!(found, expected);
    assert!(records.iter().all(|it| it.read.is_some()));
}

#[tokio::test]
async fn an_unchanged_cohort_is_asked_about_once_a_day_and_writes_nothing() {
    let shop = shop([
        Cohort::new(1, "Buyers").people(people(0..40)),
        Cohort::new(2, "Uploaded").fixed().people(people(20..70)),
    ])
    .await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let history = shop.store.cohort_history(shop.id()).await.unwrap();
    for hour in 1..=24 {
        shop.pass(HOUR);
        shop.stub.clear_requests();
        let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
        assert_eq!((cohorts.entered, cohorts.left), (0, 0));
        let expected: &[(String, usize)] = if hour == 24 {
            assert_eq!((cohorts.compared, cohorts.unchanged), (2, 2));
            &[
                ("cohort_digests".to_owned(), 1),
                ("cohort_digests".to_owned(), 1),
            ]
        } else {
            assert_eq!(cohorts.compared, 0);
            &[]
        };
        assert_eq!(asked(&shop), expected, "hour {hour}");
    }
    assert_eq!(shop.store.cohort_history(shop.id()).await.unwrap(), history);
}

#[tokio::test]
async fn cohorts_that_were_computed_again_are_read_together_where_they_differ() {
    let shop = shop((1..=6).map(|id| Cohort::new(id, "Some").people(people(0..9)))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.pass(HOUR);
    let now = shop.clock_now();
    shop.edit(|project| {
        for (id, numbers) in [(1, 0..9), (2, 3..12), (4, 0..0), (6, 0..10)] {
            project
                .cohort_mut(id)
                .unwrap()
                .recalculate(people(numbers), now);
        }
    });
    shop.stub.clear_requests();
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.compared, cohorts.unchanged), (4, 1));
    assert_eq!((cohorts.entered, cohorts.left), (4, 12));
    let expected = [
        ("cohort_digests".to_owned(), 3),
        ("cohort_members".to_owned(), 19),
    ];
    assert_eq!(asked(&shop), expected);
    assert_same(&shop).await;
}

#[tokio::test]
async fn an_erased_member_stays_away_and_costs_no_read() {
    let mut shop = shop([
        Cohort::new(1, "Buyers").people(people(0..40)),
        Cohort::new(2, "Large").people(people(0..3_000)),
    ])
    .await;
    shop.page_rows = Some(500);
    shop.run(SyncMode::Backfill).await.unwrap();
    let name = &shop.settings.desired.name;
    let key = IdentityKey::Person(person(7));
    let erased = erase(&*shop.store, name, &key, shop.clock_now()).await;
    assert_eq!(erased.unwrap().cohort_stays, 2);
    let assert_rest = async |shop: &Shop| {
        let mut rest = real(shop);
        for members in rest.values_mut() {
            members.remove(&person(7));
        }
        assert_eq!(stored(&*shop.store, shop.id()).await, rest);
        assert_eq!(followed(&*shop.store, shop.id()).await, rest);
    };
    assert_rest(&shop).await;

    // PostHog computes them again, and finds the same.
    let recalculated = |shop: &Shop, large: Vec<Uuid>| {
        shop.pass(HOUR);
        let now = shop.clock_now();
        shop.edit(|project| {
            let cohort = project.cohort_mut(1).unwrap();
            cohort.recalculate(people(0..40), now);
            project.cohort_mut(2).unwrap().recalculate(large, now);
        });
        shop.stub.clear_requests();
    };
    recalculated(&shop, people(0..3_000));
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.compared, cohorts.unchanged), (2, 2));
    assert_eq!(asked(&shop), [("cohort_digests".to_owned(), 2)]);
    assert_rest(&shop).await;

    // Somebody new in the person's bucket, which is read with the person in it.
    let bucket = CohortBucket::of(person(7));
    let mut others = 9_000..;
    let new = others.find(|number| CohortBucket::of(person(*number)) == bucket);
    let large = people((0..3_000).chain(new));
    recalculated(&shop, large.clone());
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.entered, cohorts.left), (1, 0));
    assert_rest(&shop).await;
    recalculated(&shop, large);
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.compared, cohorts.unchanged), (2, 2));
}

#[tokio::test]
async fn of_a_large_cohort_only_the_buckets_that_changed_are_read() {
    let mut shop = shop([Cohort::new(1, "Large").people(people(0..3_000))]).await;
    shop.page_rows = Some(500);
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(summary.cohorts.entered, 3_000);
    assert_same(&shop).await;
    let all = asked(&shop);
    let rows: usize = all
        .iter()
        .filter(|(name, _)| name == "bucket_members")
        .map(|it| it.1)
        .sum();
    assert_eq!(rows, 3_000);
    assert!(all.len() <= 2 + 9, "{all:?}");

    shop.pass(HOUR);
    let now = shop.clock_now();
    shop.edit(|project| {
        let kept = people((0..3_000).filter(|number| number % 600 != 7));
        let cohort = project.cohort_mut(1).unwrap();
        cohort.recalculate(kept.into_iter().chain(people(9_000..9_005)), now);
    });
    shop.stub.clear_requests();
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.entered, cohorts.left), (5, 5));
    assert_same(&shop).await;
    let again = asked(&shop);
    let rows: usize = again
        .iter()
        .filter(|(name, _)| name == "bucket_members")
        .map(|it| it.1)
        .sum();
    assert!(rows < 100, "{again:?}");
    assert_eq!(again.len(), 3, "{again:?}");
}

#[tokio::test]
async fn a_deleted_cohort_loses_its_members_and_comes_back_with_them() {
    let shop = shop([Cohort::new(1, "Buyers").people(people(0..40))]).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.edit(|project| project.cohort_mut(1).unwrap().deleted = true);
    shop.pass(HOUR);
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.listed, cohorts.left), (0, 40));
    assert_same(&shop).await;
    let record = shop
        .store
        .cohort(shop.id(), CohortId(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.deleted_at, Some(shop.clock_now()));
    shop.edit(|project| project.cohort_mut(1).unwrap().deleted = false);
    shop.pass(HOUR);
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!(cohorts.entered, 40);
    assert_same(&shop).await;
}

#[tokio::test]
async fn who_wants_no_cohorts_has_none_and_asks_for_none() {
    let mut shop = shop([Cohort::new(1, "Buyers").people(people(0..40))]).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.settings.cohorts = CohortSelection::None;
    shop.pass(HOUR);
    shop.stub.clear_requests();
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!(cohorts.left, 40);
    assert!(stored(&*shop.store, shop.id()).await.is_empty());
    let endpoints = shop.stub.requests().into_iter().map(|it| it.endpoint);
    assert!(endpoints.into_iter().all(|it| it != Endpoint::Cohorts));
    shop.settings.cohorts = CohortSelection::All;
    shop.pass(HOUR);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_same(&shop).await;
}

#[tokio::test]
async fn without_the_scope_events_go_on_and_the_summary_says_what_is_lost() {
    let shop = shop([Cohort::new(1, "Buyers").people(people(0..40))]).await;
    let few = ["query:read", "project:read"].map(str::to_owned).to_vec();
    shop.stub
        .edit(|world| world.key_mut(KEY).unwrap().scopes = Some(few));
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(summary.totals.events_stored > 0);
    let problem = summary.cohorts.problem.unwrap();
    assert!(problem.contains("cohort:read"), "{problem}");

    // Once a check has told, it is not even asked for.
    let report = sync::check(&shop.client(), None, at(NOW)).await.unwrap();
    let name = &shop.settings.desired.name;
    shop.store
        .record_check(name, &report.summary)
        .await
        .unwrap();
    shop.pass(HOUR);
    shop.stub.clear_requests();
    let problem = shop.run(SyncMode::Refresh).await.unwrap().cohorts.problem;
    let problem = problem.unwrap();
    assert!(
        problem.contains("cohort:read: without it, cohorts are not shown"),
        "{problem}"
    );
    assert!(
        shop.stub
            .requests()
            .iter()
            .all(|it| it.endpoint != Endpoint::Cohorts)
    );
}

#[tokio::test]
async fn a_cohort_that_posthog_cannot_compute_is_named_until_it_can() {
    let shop = shop([
        Cohort::new(1, "Buyers").people(people(0..40)),
        Cohort::new(2, "Broken").people(people(0..3)),
    ])
    .await;
    shop.edit(|project| project.cohort_mut(2).unwrap().errors_calculating = 3);
    let cohorts = shop.run(SyncMode::Backfill).await.unwrap().cohorts;
    assert_eq!((cohorts.failing, cohorts.unsettled), (1, 0));
    let problem = cohorts.problem.unwrap();
    assert!(
        problem.contains("cohort 2 \"Broken\" (3 times"),
        "{problem}"
    );
    assert_same(&shop).await;
    shop.edit(|project| project.cohort_mut(2).unwrap().errors_calculating = 0);
    shop.pass(HOUR);
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.failing, cohorts.problem), (0, None));
}

#[tokio::test]
async fn a_list_that_fails_costs_the_run_nothing_but_cohorts() {
    let shop = shop([Cohort::new(1, "Buyers").people(people(0..40))]).await;
    shop.stub
        .faults()
        .push(Endpoint::Cohorts, Fault::Truncated { bytes: 30 });
    let first = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(first.cohorts.problem, None, "it is asked again");
    assert_same(&shop).await;
    for _ in 0..40 {
        shop.stub.faults().push(Endpoint::Cohorts, Fault::Internal);
    }
    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert!(summary.cohorts.problem.is_some());
    assert_same(&shop).await;
}
