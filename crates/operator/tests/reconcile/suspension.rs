//! What suspending a connection stops, and resuming it brings back.

use crd::reasons;
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::Corner;

#[tokio::test]
async fn a_suspended_connection_pulls_nothing_until_it_is_resumed() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner
        .apply("storefront", corner.spec(json!({"suspend": true})))
        .await;
    corner.not_ready("storefront", reasons::SUSPENDED).await;
    assert_eq!(corner.requests(), 0);
    assert!(corner.all_jobs().await.is_empty());
    let record = corner.stored("storefront").await;
    assert!(record.desired.suspended);

    let _kubelet = corner.kubelet();
    corner
        .patch("storefront", json!({"spec": {"suspend": false}}))
        .await;
    corner.synced("storefront").await;
    operator.stop().await;
}

#[tokio::test]
async fn suspending_stops_the_job_that_runs() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.wait_jobs(|jobs| jobs.len() == 1).await;
    corner
        .patch("storefront", json!({"spec": {"suspend": true}}))
        .await;
    corner.wait_jobs(<[_]>::is_empty).await;
    corner.not_ready("storefront", reasons::SUSPENDED).await;
    operator.stop().await;
}

#[tokio::test]
async fn the_time_of_a_suspension_makes_no_connection_overdue() {
    let mut corner = Corner::open().await;
    corner.config.max_concurrent_syncs = 1;
    let kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.synced("storefront").await;
    drop(kubelet);
    corner
        .patch("storefront", json!({"spec": {"suspend": true}}))
        .await;
    corner.not_ready("storefront", reasons::SUSPENDED).await;
    // The only place is taken when it comes back.
    corner.connect("other").await;
    corner.wait_jobs(|jobs| jobs.len() == 2).await;

    corner.clock.advance(SignedDuration::from_hours(72));
    corner
        .patch("storefront", json!({"spec": {"suspend": false}}))
        .await;
    corner.ready("storefront").await;
    operator.stop().await;
    assert_eq!(corner.told(reasons::OVERDUE).await, [""; 0]);
}
