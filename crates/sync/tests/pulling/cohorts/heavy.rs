//! Cohorts that are too heavy for PostHog to answer about at once, or at all.

use posthog_stub::{Limits, TooMuch};

use super::*;

/// Lets PostHog refuse queries that match more members than this.
fn refuse_over(shop: &Shop, members: usize) {
    let too_much = TooMuch {
        span: None,
        rows: None,
        members: Some(members),
        status: 504,
    };
    shop.stub.set_limits(Limits {
        too_much: Some(too_much),
        ..Limits::default()
    });
}

/// So many persons of one bucket, of which no part can be asked for.
fn one_bucket(count: usize) -> Vec<Uuid> {
    let bucket = CohortBucket::from_number(0x8f3).unwrap();
    (0..count as u64)
        .map(|number| Uuid::from_u64_pair(number, bucket.first().as_u64_pair().1))
        .collect()
}

/// Lets every cohort be computed again, which changes nobody, and an hour pass.
fn compute_all(shop: &Shop) {
    shop.pass(HOUR);
    let now = shop.clock_now();
    shop.edit(|project| {
        let ids: Vec<u64> = project.cohorts().keys().copied().collect();
        for id in ids {
            let cohort = project.cohort_mut(id).unwrap();
            cohort.recalculate(cohort.people.clone(), now);
        }
    });
    shop.stub.clear_requests();
}

#[tokio::test]
async fn cohorts_that_are_too_heavy_together_are_asked_about_apart() {
    let cohort = |id| {
        let cohort = Cohort::new(id, "Some").people(people(0..40));
        if id > 4 { cohort.fixed() } else { cohort }
    };
    let shop = shop((1..=8).map(cohort)).await;
    refuse_over(&shop, 50);
    let cohorts = shop.run(SyncMode::Backfill).await.unwrap().cohorts;
    assert_eq!((cohorts.entered, cohorts.unsettled), (8 * 40, 0));
    assert_eq!(cohorts.problem, None);
    assert_same(&shop).await;
    compute_all(&shop);
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.compared, cohorts.unchanged), (8, 8));
}

#[tokio::test]
async fn a_large_cohort_that_is_too_heavy_is_compared_and_read_in_parts() {
    let mut shop = shop([
        Cohort::new(1, "Large").people(people(0..3_000)),
        Cohort::new(2, "Buyers").people(people(0..40)),
        Cohort::new(3, "Uploaded").fixed().people(people(0..3_000)),
    ])
    .await;
    shop.page_rows = Some(500);
    refuse_over(&shop, 400);
    let cohorts = shop.run(SyncMode::Backfill).await.unwrap().cohorts;
    assert_eq!((cohorts.entered, cohorts.unsettled), (6_040, 0));
    assert_eq!(cohorts.problem, None);
    assert_same(&shop).await;

    compute_all(&shop);
    let now = shop.clock_now();
    shop.edit(|project| {
        let cohort = project.cohort_mut(1).unwrap();
        cohort.recalculate(people(1..3_001), now);
    });
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.entered, cohorts.left), (1, 1));
    assert_same(&shop).await;
    let read: usize = asked(&shop)
        .iter()
        .filter(|(name, _)| name == "bucket_members")
        .map(|it| it.1)
        .sum();
    assert!(read < 20, "only what differs is read: {read}");
}

#[tokio::test]
async fn a_cohort_that_is_too_heavy_in_its_smallest_part_is_named_and_holds_up_no_other() {
    let shop = shop([
        Cohort::new(1, "Heavy").people(one_bucket(30)),
        Cohort::new(2, "Buyers").people(people(0..15)),
        Cohort::new(3, "Uploaded").fixed().people(people(0..20)),
    ])
    .await;
    refuse_over(&shop, 20);
    let mode = [SyncMode::Backfill, SyncMode::Refresh];
    for (mode, last) in mode.into_iter().zip([15, 16]) {
        let summary = shop.run(mode).await.unwrap();
        assert_eq!(summary.cohorts.unsettled, 1);
        let problem = summary.cohorts.problem.unwrap();
        assert!(
            problem.starts_with("cohort 1 \"Heavy\" could not"),
            "{problem}"
        );
        let mut light = real(&shop);
        light.remove(&CohortId(1));
        assert_eq!(stored(&*shop.store, shop.id()).await, light);
        compute_all(&shop);
        let now = shop.clock_now();
        shop.edit(|project| {
            for id in [2, 3] {
                let cohort = project.cohort_mut(id).unwrap();
                cohort.recalculate(people(0..last + 1), now);
            }
        });
    }
    shop.stub.set_limits(Limits::default());
    let cohorts = shop.run(SyncMode::Refresh).await.unwrap().cohorts;
    assert_eq!((cohorts.unsettled, cohorts.problem), (0, None));
    assert_same(&shop).await;
}

#[tokio::test]
async fn where_posthog_answers_nothing_about_large_cohorts_few_are_tried() {
    let heavy = (10..60).map(|id| Cohort::new(id, "Heavy").people(one_bucket(30)));
    let light = Cohort::new(99, "Buyers").people(people(0..15));
    let shop = shop(heavy.chain([light])).await;
    refuse_over(&shop, 20);
    let cohorts = shop.run(SyncMode::Backfill).await.unwrap().cohorts;
    assert_eq!((cohorts.entered, cohorts.unsettled), (15, 50));
    let asked = asked(&shop);
    assert!(asked.len() < 100, "{} queries", asked.len());
}
