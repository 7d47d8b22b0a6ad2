//! A refresh that somebody asks for.

use crd::{PLAN_ELIGIBLE, SYNCED};
use serde_json::json;

use crate::harness::{Corner, eventually, message};

#[tokio::test]
async fn a_refresh_that_is_asked_for_runs_once() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    corner.connect_between_ticks("storefront", json!({})).await;
    let operator = corner.operate();
    let before = corner.synced("storefront").await;
    let before = before.status.unwrap().last_sync.unwrap();
    let annotations = json!({(crd::REFRESH_REQUESTED_ANNOTATION): "now, please"});
    corner
        .patch(
            "storefront",
            json!({"metadata": {"annotations": annotations}}),
        )
        .await;
    let connection = corner
        .wait("storefront", |connection| {
            let status = connection.status.as_ref().unwrap();
            status.last_handled_refresh_request.as_deref() == Some("now, please")
                && status
                    .last_sync
                    .as_ref()
                    .is_some_and(|last| last.start_time > before.start_time)
        })
        .await;
    assert_eq!(message(&connection, SYNCED), "The last due run succeeded.");
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    operator.stop().await;

    // Another operator finds it handled.
    let operator = corner.operate();
    corner
        .patch("storefront", json!({"spec": {"retentionDays": 300}}))
        .await;
    corner.ready("storefront").await;
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    operator.stop().await;
}

#[tokio::test]
async fn a_request_during_a_run_has_the_key_checked_once_until_its_turn_comes() {
    let corner = Corner::open().await;
    corner.connect_between_ticks("storefront", json!({})).await;
    let operator = corner.operate();
    corner.ready("storefront").await;
    corner.wait_jobs(|jobs| jobs.len() == 1).await;
    let checks = || operator.sum("ordinary_posthog_checks_total", "");
    let before = checks();
    corner.ask("storefront", "now, please").await;
    eventually("the key is checked", async || {
        (checks() > before).then_some(())
    })
    .await;

    // Looked at again and again while the backfill runs.
    for plan in ["growth", "scale", "starter", "growth"] {
        corner.plan(Some(plan)).await;
        let said = format!("The workspace is on {plan}.");
        corner
            .wait("storefront", |connection| {
                message(connection, PLAN_ELIGIBLE) == said
            })
            .await;
    }
    let status = corner.connections().get("storefront").await.unwrap().status;
    assert_eq!(status.unwrap().last_handled_refresh_request, None);
    assert!((checks() - before - 1.0).abs() < 0.5, "{}", checks());

    let _kubelet = corner.kubelet();
    corner
        .wait("storefront", |connection| {
            let status = connection.status.as_ref().unwrap();
            status.last_handled_refresh_request.as_deref() == Some("now, please")
        })
        .await;
    corner.synced("storefront").await;
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    assert!((checks() - before - 1.0).abs() < 0.5, "{}", checks());
    operator.stop().await;
}
