//! The read of all distinct ids when PostHog does not answer for them in one run: events go on, and so does
//! the read.

use domain::storage::RunEnd;
use domain::sync::SyncMode;
use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Endpoint, Event, Fault};

use crate::identities::{known, real};
use crate::oracle::{assert_exact, project};
use crate::shop::{NOW, Shop, at, days};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const WHOLE: &str = "ordinary_posthog_person_mappings";

/// A limit of PostHog's that outlasts a run.
const THROTTLED: Fault = Fault::Throttle {
    retry_after: Some(3000),
};

fn refused(status: u16, body: &str) -> Fault {
    let body = body.to_owned();
    Fault::Status { status, body }
}

/// Answers to the query for all distinct ids since the last call: how many, and their rows.
fn answered(shop: &Shop) -> (usize, usize) {
    let requests = shop.stub.requests();
    shop.stub.clear_requests();
    let whole = requests
        .iter()
        .filter(|request| request.name.as_deref() == Some(WHOLE) && request.status == 200);
    (
        whole.clone().count(),
        whole.map(|request| request.rows).sum(),
    )
}

/// How often the query for all distinct ids, and the list of event definitions, were asked for since the
/// last call.
fn asked(shop: &Shop) -> (usize, usize) {
    let requests = shop.stub.requests();
    shop.stub.clear_requests();
    let whole = |name: &Option<String>| name.as_deref() == Some(WHOLE);
    let definitions = Endpoint::EventDefinitions;
    (
        requests.iter().filter(|it| whole(&it.name)).count(),
        requests
            .iter()
            .filter(|it| it.endpoint == definitions)
            .count(),
    )
}

async fn read_at(shop: &Shop) -> Option<Timestamp> {
    let epoch = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    epoch.persons_read_at
}

#[tokio::test]
async fn a_throttled_read_of_all_persons_ends_no_run_and_is_done_over_several() {
    let mut shop = Shop::open(project(5, 400, at(NOW), days(30))).await;
    shop.page_rows = Some(real(&shop).len() / 7 + 1);
    let whole = Endpoint::Named(WHOLE);
    let mut rows = 0;
    let mut attempts = 0;
    while read_at(&shop).await.is_none() {
        // Two pages are granted in each run.
        shop.stub
            .faults()
            .push_after(whole, 2, usize::MAX, THROTTLED);
        let summary = shop.run(SyncMode::Refresh).await.unwrap();
        let last = shop.store.last_complete_run(shop.id()).await.unwrap();
        assert_eq!(last.unwrap().end, Some(RunEnd::Complete));
        assert_exact(
            &shop,
            at(NOW).min(summary.from) - days(30),
            shop.clock_now(),
        )
        .await;
        let (pages, more) = answered(&shop);
        assert!(pages <= 2, "{pages} pages");
        rows += more;
        attempts += 1;
        if read_at(&shop).await.is_none() {
            let problem = summary.persons.problem.unwrap();
            assert!(problem.contains("in part"), "{problem}");
            assert!(problem.contains("throttles"), "{problem}");
        } else {
            assert_eq!(summary.persons.problem, None);
        }
        shop.stub.faults().clear();
        shop.pass(HOUR);
    }
    assert_eq!(attempts, 4);
    assert_eq!(rows, real(&shop).len(), "each distinct id is read once");
    assert_eq!(known(&shop).await, real(&shop));
    assert_eq!(
        read_at(&shop).await,
        Some(at(NOW)),
        "when the first part was read"
    );

    // The next one is due a day after that.
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(answered(&shop), (0, 0));
    shop.set_now(at(NOW) + days(1));
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(answered(&shop).1, real(&shop).len());
}

#[tokio::test]
async fn a_read_that_goes_on_misses_nobody_new_or_merged_among_those_it_has_passed() {
    let mut shop = Shop::open(project(5, 400, at(NOW), days(30))).await;
    shop.page_rows = Some(real(&shop).len() / 3 + 1);
    let whole = Endpoint::Named(WHOLE);
    shop.stub
        .faults()
        .push_after(whole, 1, usize::MAX, THROTTLED);
    shop.run(SyncMode::Backfill).await.unwrap();
    let passed: Vec<String> = known(&shop).await.into_keys().collect();
    assert!(passed.len() > 2 && passed.len() < real(&shop).len());
    shop.edit(|project| {
        project.capture(Event::new("$pageview", " first of all", at(NOW) + HOUR / 2));
        project.merge(&passed[0], &passed[1]);
    });
    shop.stub.faults().clear();
    shop.pass(HOUR);
    shop.stub.clear_requests();
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(answered(&shop).0, 2, "the first part is not read again");
    assert_eq!(known(&shop).await, real(&shop));
    assert_eq!(read_at(&shop).await, Some(at(NOW)));
}

#[tokio::test]
async fn an_outage_after_the_events_are_read_ends_no_run_and_is_made_good_by_the_next() {
    let shop = Shop::open(project(5, 200, at(NOW), days(30))).await;
    let whole = Endpoint::Named(WHOLE);
    shop.stub.faults().always(whole, Fault::Internal);
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_exact(&shop, summary.from, summary.to).await;
    assert!(summary.persons.problem.is_some());
    shop.stub.faults().clear();
    shop.pass(HOUR);
    let summary = shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(summary.mode, SyncMode::Refresh);
    assert_eq!(summary.persons.problem, None);
    assert_eq!(known(&shop).await, real(&shop));
}

#[tokio::test]
async fn what_posthog_cannot_or_will_not_answer_is_asked_of_it_again_only_after_hours() {
    let rejected = "{\"type\": \"validation_error\", \"code\": \"illegal_type_of_argument\", \"detail\": \"No.\"}";
    for fault in [Fault::Timeout, refused(400, rejected)] {
        let shop = Shop::open(project(5, 200, at(NOW), days(30))).await;
        let whole = Endpoint::Named(WHOLE);
        shop.stub.faults().always(whole, fault.clone());
        shop.run(SyncMode::Backfill).await.unwrap();
        asked(&shop);
        for hour in 1..=12 {
            shop.pass(HOUR);
            let summary = shop.run(SyncMode::Refresh).await.unwrap();
            let (whole, definitions) = asked(&shop);
            let is_due = hour % 6 == 0;
            assert_eq!(whole > 0, is_due, "{fault:?}, hour {hour}: {whole}");
            assert_eq!(definitions > 0, is_due, "{fault:?}, hour {hour}");
            let problem = summary.persons.problem.unwrap();
            assert!(problem.contains("all distinct ids"), "{problem}");
        }
    }
}

#[tokio::test]
async fn pages_before_one_that_is_too_heavy_are_not_read_again() {
    let mut shop = Shop::open(project(5, 400, at(NOW), days(30))).await;
    shop.page_rows = Some(real(&shop).len() / 5 + 1);
    let whole = Endpoint::Named(WHOLE);
    shop.stub
        .faults()
        .push_after(whole, 3, usize::MAX, Fault::Timeout);
    shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(answered(&shop).0, 3);
    for _ in 0..8 {
        shop.pass(HOUR);
        shop.run(SyncMode::Refresh).await.unwrap();
        assert_eq!(answered(&shop).0, 0);
    }
    shop.stub.faults().clear();
    shop.pass(HOUR * 6);
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(answered(&shop).0, 2);
    assert_eq!(known(&shop).await, real(&shop));
}

#[tokio::test]
async fn a_key_that_is_revoked_while_persons_are_read_still_fails_the_run() {
    let shop = Shop::open(project(5, 200, at(NOW), days(30))).await;
    let denied = "{\"type\": \"authentication_error\", \"code\": \"authentication_failed\", \"detail\": \"No.\"}";
    let whole = Endpoint::Named(WHOLE);
    shop.stub.faults().always(whole, refused(401, denied));
    let error = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert_eq!(error.reason(), "InvalidApiKey");
    let last = shop.store.last_complete_run(shop.id()).await.unwrap();
    assert_eq!(last, None);
    shop.stub.faults().clear();
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(summary.resumed);
    assert_eq!(known(&shop).await, real(&shop));
}
