//! What the plan label of the workspace decides.

use crd::{ConditionStatus, PLAN_ELIGIBLE, READY, reasons};
use serde_json::json;
use test_kubernetes::Server;
use tokio_util::sync::CancellationToken;

use crate::harness::{Corner, KEY, condition, message};

#[tokio::test]
async fn a_downgrade_deletes_the_job_and_an_upgrade_goes_on() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.wait_jobs(|jobs| jobs.len() == 1).await;
    corner.plan(Some("free")).await;
    corner.wait_jobs(<[_]>::is_empty).await;
    let connection = corner
        .condition(
            "storefront",
            PLAN_ELIGIBLE,
            ConditionStatus::False,
            reasons::PLAN_TOO_LOW,
        )
        .await;
    assert_eq!(
        condition(&connection, crd::STALLED).unwrap().reason,
        reasons::PLAN_TOO_LOW
    );
    let record = corner.stored("storefront").await;
    assert!(!record.desired.plan.is_eligible());

    let _kubelet = corner.kubelet();
    corner.plan(Some("growth")).await;
    corner.synced("storefront").await;
    operator.stop().await;
}

#[tokio::test]
async fn an_unknown_plan_and_none_are_told_apart() {
    let corner = Corner::on_plan(None).await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    let connection = corner
        .condition(
            "storefront",
            PLAN_ELIGIBLE,
            ConditionStatus::False,
            reasons::PLAN_UNKNOWN,
        )
        .await;
    assert!(
        message(&connection, READY).starts_with("The namespace has no label ordinary.dev/plan")
    );
    corner.plan(Some("platinum")).await;
    corner
        .wait("storefront", |connection| {
            message(connection, READY).contains("\"platinum\"")
        })
        .await;
    assert_eq!(corner.requests(), 0);
    operator.stop().await;
}

#[tokio::test]
async fn a_connection_seen_before_its_new_workspace_is_read_once_that_is_seen() {
    let mut corner = Corner::open().await;
    let told = CancellationToken::new();
    let operator = corner.operate_unaware_of_namespaces(&told);
    // It has listed all Namespaces that there were.
    corner.connect("old").await;
    corner.ready("old").await;

    // As one `kubectl apply` creates them all.
    let server = Server::shared().unwrap();
    let plan = [("ordinary.dev/plan", "starter")];
    corner.tenant = server.namespace("acme", &plan).await.unwrap();
    corner.secret("posthog", json!({"apiKey": KEY})).await;
    corner.connect("storefront").await;
    corner.not_ready("storefront", reasons::PLAN_UNKNOWN).await;
    told.cancel();
    corner.ready("storefront").await;
    operator.stop().await;
}
