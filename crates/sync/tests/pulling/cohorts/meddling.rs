//! Cohorts that change while a run reads them, and runs that are killed at it.

use std::ops::Range;

use super::*;

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
    let ctx = Context {
        client: shop.client_through(pause.clone()),
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

/// Has PostHog compute the first cohort again.
fn compute(shop: &Shop, numbers: Range<u32>) {
    let now = shop.clock_now();
    shop.edit(|project| {
        let cohort = project.cohort_mut(1).unwrap();
        cohort.recalculate(people(numbers), now);
    });
}

#[tokio::test]
async fn a_cohort_that_vanishes_between_its_digest_and_its_members_loses_them_in_the_same_run() {
    let shop = shop([Cohort::new(1, "Buyers").people(people(0..100))]).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.pass(HOUR);
    compute(&shop, 0..50);
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
    compute(&shop, 0..20);
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

/// How often PostHog was asked for a page of its list.
fn pages(shop: &Shop) -> usize {
    let endpoints = shop.stub.requests().into_iter().map(|it| it.endpoint);
    endpoints.filter(|it| *it == Endpoint::Cohorts).count()
}

#[tokio::test]
async fn a_cohort_that_moves_over_a_pages_edge_while_the_list_is_read_keeps_its_members() {
    // The newest come first: 250 to 51, then the rest.
    let shop = shop((1..=250).map(|id| Cohort::new(id, "Some").people(people(0..4)))).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    shop.pass(HOUR);
    shop.stub.clear_requests();
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(pages(&shop), 2, "nothing is missing");
    let endpoints = shop.stub.requests().into_iter().map(|it| it.endpoint);
    let first = endpoints.into_iter().position(|it| it == Endpoint::Cohorts);

    shop.pass(HOUR);
    shop.stub.clear_requests();
    let (cohorts, came) = meddled(&shop, first.unwrap() + 1, |project| {
        project.cohort_mut(200).unwrap().deleted = true;
    })
    .await;
    assert!(came);
    assert_eq!((cohorts.listed, cohorts.left), (250, 0));
    assert_eq!(pages(&shop), 4);

    // The one that is gone for good is on no list.
    shop.pass(HOUR);
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.listed, cohorts.left, cohorts.entered), (249, 4, 0));
    assert_same(&shop).await;
    shop.pass(HOUR);
    shop.stub.clear_requests();
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(pages(&shop), 2);
}
