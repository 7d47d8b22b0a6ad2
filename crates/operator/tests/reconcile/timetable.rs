//! When runs begin, how many at once, and what becomes of those that fail.

use crd::{ConditionStatus, SYNCED, reasons};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use posthog_stub::{Endpoint, Event, Fault};
use serde_json::json;

use crate::harness::{Corner, condition, shop};

#[tokio::test]
async fn missed_ticks_are_made_up_for_once() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    corner.connect_between_ticks("storefront", json!({})).await;
    let operator = corner.operate();
    let first = corner.synced("storefront").await;
    let first = first.status.unwrap().last_sync.unwrap();
    operator.stop().await;

    // Four ticks, and none in the hour that follows.
    corner.clock.advance(SignedDuration::from_hours(23));
    let operator = corner.operate();
    corner
        .wait("storefront", |connection| {
            let status = connection.status.as_ref().unwrap();
            status
                .last_sync
                .as_ref()
                .is_some_and(|last| last.start_time > first.start_time)
                && status
                    .next_sync_time
                    .is_some_and(|next| next > corner.now())
        })
        .await;
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    operator.stop().await;
    // What began at the first look is late at most.
    assert_eq!(corner.told(reasons::OVERDUE).await, [""; 0]);

    // The next operator finds nothing to do.
    let operator = corner.operate();
    let before = corner.connections().get("storefront").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let after = corner.connections().get("storefront").await.unwrap();
    assert_eq!(before.resource_version(), after.resource_version());
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    operator.stop().await;
}

#[tokio::test]
async fn the_count_of_the_last_day_moves_with_runs_alone() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    let about_to_be_older = corner.now() - SignedDuration::from_mins(23 * 60 + 50);
    corner.stub.edit(|world| {
        let mut shop = shop();
        shop.insert(Event::new("search", "somebody", about_to_be_older));
        world.add_project(shop);
    });
    let daily = json!({"refresh": {"interval": "24h", "lookback": "24h"}});
    corner.apply("storefront", corner.spec(daily)).await;
    let before = corner
        .condition(
            "storefront",
            SYNCED,
            ConditionStatus::True,
            reasons::UP_TO_DATE,
        )
        .await;
    operator.stop().await;
    let status = before.status.as_ref().unwrap();
    assert_eq!(status.events_last_24h, Some(4));

    // Until just before the next run others grow older than a day, and nobody writes.
    let idle = status.next_sync_time.unwrap().duration_since(corner.now());
    corner.clock.advance(idle - SignedDuration::from_secs(20));
    corner.clock.stop();
    let operator = corner.operate();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let after = corner.connections().get("storefront").await.unwrap();
    assert_eq!(before.resource_version(), after.resource_version());

    corner.clock.go_on();
    corner.clock.advance(SignedDuration::from_mins(1));
    operator.stop().await;
    let operator = corner.operate();
    let after = corner
        .wait("storefront", |connection| {
            let last = connection.status.as_ref().unwrap().last_sync.as_ref();
            last.unwrap().start_time > status.last_sync.as_ref().unwrap().start_time
        })
        .await;
    let last = after.status.as_ref().unwrap();
    let since = last.last_sync.as_ref().unwrap().start_time - SignedDuration::from_hours(24);
    let hour_ago = corner.now() - idle - SignedDuration::from_hours(1);
    let expected = i64::from(about_to_be_older >= since) + if hour_ago >= since { 3 } else { 0 };
    assert_eq!(last.events_last_24h, Some(expected));
    operator.stop().await;
}

#[tokio::test]
async fn no_more_jobs_than_places_run_and_everybody_comes_to_one() {
    let mut corner = Corner::open().await;
    corner.config.max_concurrent_syncs = 2;
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        corner.connect_between_ticks(name, json!({})).await;
    }
    let operator = corner.operate();
    for name in names {
        corner.ready(name).await;
    }
    let active = |jobs: &[Job]| jobs.iter().filter(|job| is_active(job)).count();
    let jobs = corner.wait_jobs(|jobs| !jobs.is_empty()).await;
    assert!(active(&jobs) <= 2);
    let waiting = corner.connections().get("e").await.unwrap();
    let said = condition(&waiting, crd::BACKFILL_COMPLETE).unwrap();
    assert!([reasons::BACKFILL_WAITING, reasons::BACKFILL_RUNNING].contains(&said.reason.as_str()));

    let _kubelet = corner.kubelet();
    loop {
        let jobs = corner.all_jobs().await;
        assert!(active(&jobs) <= 2, "{jobs:?}");
        if jobs.len() == names.len() && active(&jobs) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for name in names {
        corner.synced(name).await;
    }
    operator.stop().await;
}

fn is_active(job: &Job) -> bool {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    !conditions
        .into_iter()
        .flatten()
        .any(|c| ["Complete", "Failed"].contains(&c.type_.as_str()) && c.status == "True")
}

#[tokio::test]
async fn a_run_that_fails_backs_off_and_its_job_stays_readable_without_the_key() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.ready("storefront").await;
    corner
        .stub
        .faults()
        .always(Endpoint::Query, Fault::ErrorInBody);
    let _kubelet = corner.kubelet();
    let connection = corner
        .wait("storefront", |connection| {
            condition(connection, SYNCED).is_some_and(|c| c.status == ConditionStatus::False)
        })
        .await;
    let status = connection.status.unwrap();
    let failure = status.last_failure.unwrap();
    assert_eq!(status.consecutive_failures, 1);
    assert!(
        reasons::ALL.contains(&failure.reason.as_str()),
        "{failure:?}"
    );
    assert!(status.next_sync_time.unwrap() > failure.time);
    let jobs = corner
        .wait_jobs(|jobs| {
            jobs.iter()
                .any(|job| job.annotations().contains_key(operator::labels::RECORDED))
        })
        .await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(failure.job, Some(jobs[0].name_any()));
    assert!(
        jobs[0]
            .spec
            .as_ref()
            .unwrap()
            .ttl_seconds_after_finished
            .is_none()
    );
    let secrets = corner.secrets(&corner.own);
    assert!(
        secrets
            .get_opt(&jobs[0].name_any())
            .await
            .unwrap()
            .is_none()
    );

    // Time passes, and PostHog answers again.
    operator.stop().await;
    corner.stub.faults().clear();
    corner.clock.advance(SignedDuration::from_hours(2));
    let operator = corner.operate();
    let connection = corner.synced("storefront").await;
    let status = connection.status.unwrap();
    assert_eq!(status.consecutive_failures, 0);
    assert!(status.last_failure.is_none());
    operator.stop().await;
}

#[tokio::test]
async fn an_operator_that_dies_at_any_moment_makes_no_second_run() {
    let corner = Corner::open().await;
    corner.connect_between_ticks("storefront", json!({})).await;
    for milliseconds in (0..400).step_by(40) {
        let operator = corner.operate();
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        operator.kill().await;
    }
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.synced("storefront").await;
    assert_eq!(corner.all_jobs().await.len(), 1);
    operator.stop().await;
}
