//! Cohorts: what a run brings of them, what it asks for that, and what goes wrong meanwhile.

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
use posthog::{Client, ClientConfig, Error, Gate, GatePass, ThrottleKind};
use posthog_stub::{Cohort, Endpoint, Fault, Project};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sync::Context;
use test_store::{Fate, FatedStore};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::oracle::project;
use crate::shop::{KEY, NOW, PROJECT, Shop, at, days, key};

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

/// Lets everybody in, but one of the requests only once somebody says so.
struct Pause {
    before: usize,
    requests: AtomicUsize,
    is_met: Notify,
    may_go_on: Notify,
}

#[async_trait]
impl Gate for Pause {
    async fn enter(&self) -> Result<GatePass, Error> {
        if self.requests.fetch_add(1, Ordering::SeqCst) == self.before {
            self.is_met.notify_one();
            self.may_go_on.notified().await;
        }
        Ok(GatePass::new(|| {}))
    }

    async fn throttled(&self, _: Option<Duration>, _: ThrottleKind) {}

    async fn settled(&self) {}
}

/// What a run does when PostHog changes before its request of that number; says whether it came to it.
async fn meddled(
    shop: &Shop,
    before: usize,
    change: impl FnOnce(&mut Project),
) -> (sync::CohortSummary, bool) {
    let pause = Arc::new(Pause {
        before,
        requests: AtomicUsize::new(0),
        is_met: Notify::new(),
        may_go_on: Notify::new(),
    });
    let desired = &shop.settings.desired;
    let client = Client::new(ClientConfig {
        host: desired.epoch.host.clone(),
        project: desired.epoch.project_id,
        key: key(KEY),
        http: shop.http.clone(),
        gate: pause.clone(),
        reads_elements: desired.clickmaps.rules().is_some(),
        id_properties: desired.id_properties.clone(),
    });
    let client = match shop.page_rows {
        Some(rows) => client.with_page_rows(rows),
        None => client,
    };
    let ctx = Context {
        client,
        ..shop.context()
    };
    let meddling = async {
        pause.is_met.notified().await;
        shop.edit(change);
        pause.may_go_on.notify_one();
        std::future::pending::<()>().await;
    };
    let summary = tokio::select! {
        run = sync::run(&ctx, &shop.settings, SyncMode::Refresh) => run.unwrap(),
        () = meddling => return (sync::CohortSummary::default(), true),
    };
    let came = pause.requests.load(Ordering::SeqCst) > before;
    (summary.cohorts, came)
}

#[tokio::test]
async fn a_cohort_that_changes_or_vanishes_while_it_is_read_is_never_stored_in_a_mixture() {
    for page_rows in [None, Some(30)] {
        for vanishes in [false, true] {
            for before in 0.. {
                let mut shop = shop([
                    Cohort::new(1, "Buyers").people(people(0..100)),
                    Cohort::new(3, "Others").people(people(50..60)),
                ])
                .await;
                shop.run(SyncMode::Backfill).await.unwrap();
                shop.page_rows = page_rows;
                shop.pass(HOUR);
                let now: Timestamp = shop.clock_now();
                shop.edit(|project| {
                    for id in [1, 3] {
                        project
                            .cohort_mut(id)
                            .unwrap()
                            .recalculate(people(20..120), now);
                    }
                });
                let (_, came) = meddled(&shop, before, move |project| {
                    let cohort = project.cohort_mut(1).unwrap();
                    cohort.recalculate(people(60..150), now + HOUR / 60);
                    cohort.deleted = vanishes;
                })
                .await;
                // Whatever it met, the next run ends in what PostHog has.
                shop.pass(HOUR);
                shop.run(SyncMode::Refresh).await.unwrap();
                assert_same(&shop).await;
                if !came {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cohort_that_vanishes_between_its_digest_and_its_members_loses_them_in_the_same_run() {
    let shop = shop([Cohort::new(1, "Buyers").people(people(0..100))]).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.pass(HOUR);
    let now = shop.clock_now();
    shop.edit(|project| {
        project
            .cohort_mut(1)
            .unwrap()
            .recalculate(people(0..50), now);
    });
    shop.stub.clear_requests();
    // The request after the one for its digest.
    let twin = meddled(&shop, usize::MAX, |_| {}).await;
    assert_eq!(twin.0.left, 50);
    let digest = Some("ordinary_posthog_cohort_digests");
    let place = shop
        .stub
        .requests()
        .iter()
        .position(|it| it.name.as_deref() == digest);
    shop.pass(HOUR);
    let now = shop.clock_now();
    shop.edit(|project| {
        project
            .cohort_mut(1)
            .unwrap()
            .recalculate(people(0..20), now);
    });
    let (cohorts, _) = meddled(&shop, place.unwrap() + 1, |project| {
        project.cohort_mut(1).unwrap().deleted = true;
    })
    .await;
    assert_eq!((cohorts.left, cohorts.unsettled), (50, 0));
    assert_same(&shop).await;
}

#[tokio::test]
async fn a_run_that_is_killed_at_any_write_is_finished_by_the_next() {
    let mut shop = shop([
        Cohort::new(1, "Buyers").people(people(0..30)),
        Cohort::new(2, "Uploaded").fixed().people(people(0..30)),
        Cohort::new(3, "Gone").people(people(0..30)),
    ])
    .await;
    shop.page_rows = Some(8);
    shop.run(SyncMode::Backfill).await.unwrap();
    let fates = [Fate::DiesBefore, Fate::DiesWithin(3), Fate::DiesAfter];
    for at in 0_u32.. {
        shop.pass(HOUR);
        let now = shop.clock_now();
        shop.edit(|project| {
            for id in [1, 2] {
                let numbers = at..at + 30 + u32::try_from(id).unwrap();
                let cohort = project.cohort_mut(id).unwrap();
                cohort.recalculate(people(numbers), now);
            }
            project.cohort_mut(3).unwrap().deleted = at % 2 == 0;
        });
        let fate = fates[usize::try_from(at).unwrap() % fates.len()];
        let store = FatedStore::new(shop.store.clone(), usize::try_from(at).unwrap(), fate);
        let ctx = Context {
            store: store.clone(),
            ..shop.context()
        };
        store.go_on();
        let is_done = tokio::select! {
            run = sync::run(&ctx, &shop.settings, SyncMode::Refresh) => run.is_ok(),
            () = store.died() => false,
        };
        shop.store.release_all_of(&ctx.holder).await.unwrap();
        shop.run(SyncMode::Refresh).await.unwrap();
        assert_same(&shop).await;
        if is_done {
            assert!(at > 10, "a run has more writes than {at}");
            return;
        }
    }
}

/// What happens to PostHog's cohorts between two runs.
#[derive(Debug, Clone)]
enum Change {
    Computed(u64, BTreeSet<u32>),
    Uploaded(BTreeSet<u32>),
    Deleted(u64, bool),
    Pass(i64),
}

fn any_change() -> impl Strategy<Value = Change> {
    let numbers = || prop::collection::btree_set(0_u32..60, 0..40);
    prop_oneof![
        4 => ((0_u64..3), numbers()).prop_map(|(id, people)| Change::Computed(2 * id + 1, people)),
        2 => numbers().prop_map(Change::Uploaded),
        1 => (1_u64..6, any::<bool>()).prop_map(|(id, deleted)| Change::Deleted(id, deleted)),
        2 => (1_i64..30).prop_map(Change::Pass),
    ]
}

async fn play(steps: &[(Vec<Change>, usize)]) {
    let mut shop = shop([
        Cohort::new(1, "One").people(people(0..30)),
        Cohort::new(2, "Uploaded").fixed().people(people(10..40)),
        Cohort::new(3, "Three"),
        Cohort::new(5, "Five").people(people(0..5)),
    ])
    .await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.page_rows = Some(8);
    for (changes, before) in steps {
        for change in changes {
            let now = shop.clock_now();
            match change {
                Change::Computed(id, numbers) => shop.edit(|project| {
                    let cohort = project.cohort_mut(*id).unwrap();
                    cohort.recalculate(people(numbers.iter().copied()), now);
                }),
                Change::Uploaded(numbers) => shop.edit(|project| {
                    let cohort = project.cohort_mut(2).unwrap();
                    cohort.recalculate(people(numbers.iter().copied()), now);
                }),
                Change::Deleted(id, deleted) => shop.edit(|project| {
                    if let Some(cohort) = project.cohort_mut(*id) {
                        cohort.deleted = *deleted;
                    }
                }),
                Change::Pass(minutes) => shop.pass(SignedDuration::from_mins(*minutes)),
            }
        }
        shop.pass(HOUR);
        let now = shop.clock_now();
        meddled(&shop, *before, move |project| {
            project
                .cohort_mut(1)
                .unwrap()
                .recalculate(people(5..33), now);
        })
        .await;
    }
    shop.pass(days(1));
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_same(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_cohorts_between_and_within_runs_ends_in_what_posthog_has() {
    let runtime = tokio::runtime::Handle::current();
    let steps = prop::collection::vec(
        (prop::collection::vec(any_change(), 0..4), 0_usize..24),
        1..5,
    );
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    tokio::task::block_in_place(|| {
        runner
            .run(&steps, |steps| {
                runtime.block_on(play(&steps));
                Ok(())
            })
            .unwrap();
    });
}
