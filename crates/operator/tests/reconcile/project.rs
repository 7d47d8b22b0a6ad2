//! Another project: another epoch.

use crd::{BACKFILL_COMPLETE, ConditionStatus, READY, reasons};
use jiff::Timestamp;
use operator::OperatorConfig;
use posthog_stub::{Event, Project};
use serde_json::json;

use crate::harness::{Corner, condition, message};

#[tokio::test]
async fn reads_move_to_another_project_once_its_backfill_is_complete() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    let kubelet = corner.kubelet();
    corner.connect("storefront").await;
    corner.filled("storefront").await;
    drop(kubelet);
    corner.stub.edit(|world| {
        let mut other = Project::new(777, "Other");
        other.insert(Event::new("$pageview", "somebody", Timestamp::now()));
        world.add_project(other);
    });
    corner
        .patch("storefront", json!({"spec": {"projectId": 777}}))
        .await;
    corner
        .condition(
            "storefront",
            BACKFILL_COMPLETE,
            ConditionStatus::False,
            reasons::BACKFILL_RUNNING,
        )
        .await;
    assert!(!corner.reads_what_is_asked_for("storefront").await);

    let _kubelet = corner.kubelet();
    let connection = corner.filled("storefront").await;
    assert_eq!(connection.status.unwrap().project.unwrap().name, "Other");
    assert!(corner.reads_what_is_asked_for("storefront").await);
    operator.stop().await;
}

#[tokio::test]
async fn a_project_that_is_not_there_and_a_scope_that_is_missing_are_the_merchants_words() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner
        .apply("other", corner.spec(json!({"projectId": 1})))
        .await;
    let connection = corner.not_ready("other", reasons::PROJECT_NOT_FOUND).await;
    assert!(message(&connection, READY).starts_with("Project not found: "));
    corner.stub.edit(|world| {
        let key = world.key_mut(crate::harness::KEY).unwrap();
        *key = key.clone().scopes(["project:read"]);
    });
    corner.apply("scoped", corner.spec(json!({}))).await;
    let connection = corner.not_ready("scoped", reasons::MISSING_SCOPE).await;
    assert!(message(&connection, READY).starts_with("Missing scope: "));
    operator.stop().await;
}

#[tokio::test]
async fn a_host_inside_the_cluster_is_refused() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    for (name, host) in [
        ("link-local", "https://169.254.169.254"),
        ("private", "https://10.0.0.1"),
        ("plain", "http://posthog.example"),
    ] {
        corner.apply(name, corner.spec(json!({"host": host}))).await;
        let connection = corner.not_ready(name, reasons::HOST_REFUSED).await;
        assert!(condition(&connection, crd::STALLED).is_some());
    }
    assert!(corner.all_jobs().await.is_empty());
    operator.stop().await;
}

#[tokio::test]
async fn a_host_that_an_operator_is_installed_to_allow_is_asked_as_soon_as_it_leads() {
    let corner = Corner::open().await;
    // What is tried again later is not what is seen here.
    corner.clock.stop();
    let strict = OperatorConfig {
        allow_insecure_hosts: Vec::new(),
        ..corner.config.clone()
    };
    let operator = corner.operate_by(strict);
    corner.connect("storefront").await;
    let connection = corner.not_ready("storefront", reasons::HOST_REFUSED).await;
    assert!(message(&connection, READY).contains("posthog.allowInsecureHosts"));
    operator.stop().await;
    let operator = corner.operate();
    corner.ready("storefront").await;
    operator.stop().await;
}
