//! Jobs whose pods do not run, or not to their end.

use crd::{BACKFILL_COMPLETE, ConditionStatus, READY, SYNCED, reasons};
use jiff::SignedDuration;
use kube::ResourceExt;

use crate::harness::{Corner, condition, message};

/// What is told of a Job is told after this time.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

#[tokio::test]
async fn a_pod_that_does_not_run_is_told_and_runs_in_the_end() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    let jobs = corner.wait_jobs(|jobs| jobs.len() == 1).await;
    corner.ready("storefront").await;
    operator.stop().await;

    // No node takes the pod, or none has its image.
    corner.clock.advance(PATIENCE);
    let operator = corner.operate();
    for kind in [BACKFILL_COMPLETE, SYNCED] {
        let connection = corner
            .condition(
                "storefront",
                kind,
                ConditionStatus::False,
                reasons::POD_NOT_RUNNING,
            )
            .await;
        let told = message(&connection, kind);
        let command = format!(
            "kubectl -n {} describe job {}",
            corner.own,
            jobs[0].name_any()
        );
        assert!(told.contains(&command), "{told}");
        // The key is fine, and what was stored before stays readable.
        let ready = condition(&connection, READY).unwrap();
        assert_eq!(ready.status, ConditionStatus::True);
    }
    operator.is_calm().await;
    assert_eq!(corner.all_jobs().await.len(), 1);

    let _kubelet = corner.kubelet();
    corner.synced("storefront").await;
    assert_eq!(corner.all_jobs().await.len(), 1);
    operator.stop().await;
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_stopped_told_and_tried_again() {
    let mut corner = Corner::open().await;
    corner.config.job.backfill_deadline_seconds = 1;
    let operator = corner.operate();
    corner.connect("storefront").await;
    let connection = corner
        .condition(
            "storefront",
            SYNCED,
            ConditionStatus::False,
            reasons::DEADLINE_EXCEEDED,
        )
        .await;
    let told = message(&connection, SYNCED);
    assert!(told.contains("took longer than allowed"), "{told}");
    let status = connection.status.unwrap();
    let failure = status.last_failure.unwrap();
    assert_eq!(status.consecutive_failures, 1);
    assert_eq!(failure.reason, reasons::DEADLINE_EXCEEDED);
    assert!(status.next_sync_time.unwrap() > failure.time);
    operator.stop().await;

    corner.config.job.backfill_deadline_seconds = 3600;
    corner.clock.advance(SignedDuration::from_mins(1));
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    let connection = corner.synced("storefront").await;
    assert_eq!(connection.status.unwrap().consecutive_failures, 0);
    operator.stop().await;
}
