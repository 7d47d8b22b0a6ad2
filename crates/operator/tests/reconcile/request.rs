//! A refresh that somebody asks for.

use crd::SYNCED;
use serde_json::json;

use crate::harness::{Corner, message};

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
