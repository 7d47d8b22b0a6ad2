//! A quota of the operator's namespace.

use crd::{ConditionStatus, READY, reasons};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::harness::{Corner, condition, message};

#[tokio::test]
async fn a_quota_that_forbids_the_job_is_named_and_lifted() {
    let corner = Corner::open().await;
    let quota = json!({
        "metadata": {"name": "no-jobs"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    });
    let _: ResourceQuota = corner.create(&corner.own, quota).await;
    corner.jobs_admitted(false).await;
    // What is tried again later is not what is seen here.
    corner.clock.stop();
    let operator = corner.operate();
    corner.connect("storefront").await;
    let connection = corner.not_ready("storefront", reasons::JOB_REFUSED).await;
    assert!(
        message(&connection, READY).contains("exceeded quota: no-jobs"),
        "{}",
        message(&connection, READY)
    );
    operator.is_calm().await;
    let later = corner.connections().get("storefront").await.unwrap();
    assert_eq!(later.resource_version(), connection.resource_version());

    let quotas: Api<ResourceQuota> = Api::namespaced(corner.client.clone(), &corner.own);
    quotas
        .delete("no-jobs", &DeleteParams::default())
        .await
        .unwrap();
    corner.jobs_admitted(true).await;
    operator.stop().await;
    corner.clock.go_on();
    corner.clock.advance(jiff::SignedDuration::from_mins(2));
    let operator = corner.operate();
    corner.ready("storefront").await;
    // The refusal stays over while its Job is seen to run.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let later = corner.connections().get("storefront").await.unwrap();
    let ready = condition(&later, READY).unwrap();
    assert_eq!(ready.status, ConditionStatus::True, "{ready:?}");
    operator.stop().await;
}
