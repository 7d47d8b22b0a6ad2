//! What others cannot do for a while, and what is told meanwhile.

use crd::{ConditionStatus, READY, RECONCILING, reasons};
use serde_json::json;
use test_kubernetes::Server;
use test_postgres::Server as Postgres;

use crate::harness::{Corner, condition, message};

#[tokio::test]
async fn a_database_that_is_away_is_told_and_everything_goes_on_when_it_is_back() {
    let postgres = Postgres::start(&[]).unwrap();
    postgres.create_database("away", "template0").unwrap();
    let options = store::OpenOptions::default();
    let store = store::open(&postgres.url("away"), options).await.unwrap();
    let corner = Corner::with_store(store).await;
    let kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.synced("storefront").await;
    drop(kubelet);

    postgres.stop();
    corner
        .patch("storefront", json!({"spec": {"retentionDays": 300}}))
        .await;
    let connection = corner
        .not_ready("storefront", reasons::STORE_UNAVAILABLE)
        .await;
    let going_on = condition(&connection, RECONCILING).unwrap();
    assert_eq!(going_on.status, ConditionStatus::True);
    assert!(
        message(&connection, READY)
            .starts_with("Nothing can be read or decided until the store answers"),
        "{}",
        message(&connection, READY)
    );
    let status = connection.status.as_ref().unwrap();
    assert_ne!(status.observed_generation, connection.metadata.generation);
    assert!(status.last_sync.is_some(), "what was known is kept");

    postgres.resume().unwrap();
    let connection = corner.ready("storefront").await;
    assert!(condition(&connection, RECONCILING).is_none());
    operator.stop().await;
}

#[tokio::test]
async fn an_operator_that_may_not_write_events_does_all_the_rest_and_asks_no_more_often() {
    let corner = Corner::open().await;
    let rules = json!([
        {"apiGroups": ["integrations.ordinary.dev", "batch", "coordination.k8s.io"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "delete"]},
    ]);
    let client = Server::shared()
        .unwrap()
        .client_with(&corner.own, rules)
        .await;
    let operator = corner.operate_as(client.unwrap());
    let _kubelet = corner.kubelet();
    corner.connect("storefront").await;
    corner.ready("storefront").await;
    corner.synced("storefront").await;
    crate::harness::eventually("an Event is refused", async || {
        (operator.sum("ordinary_posthog_kubernetes_events_total", "refused") > 0.0).then_some(())
    })
    .await;
    assert!(operator.sum("ordinary_posthog_kubernetes_events_total", "published") < 1.0);
    assert_eq!(corner.jobs_of("backfill").await.len(), 1);
    // The Job gets its time to live, and then nothing is left to do.
    corner
        .wait_jobs(|jobs| {
            let spec = |job: &k8s_openapi::api::batch::v1::Job| job.spec.clone().unwrap();
            jobs.iter()
                .all(|job| spec(job).ttl_seconds_after_finished.is_some())
        })
        .await;
    operator.is_calm().await;
    operator.stop().await;
}
