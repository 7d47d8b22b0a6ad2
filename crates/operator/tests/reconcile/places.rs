//! Who waits for a place, and who must not be waited for.

use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::Corner;

#[tokio::test]
async fn nobody_waits_behind_a_connection_that_is_gone() {
    let mut corner = Corner::open().await;
    corner.config.max_concurrent_syncs = 1;
    let operator = corner.operate();
    for name in ["runs", "deleted", "vanished", "waits"] {
        corner.connect(name).await;
        corner.ready(name).await;
    }
    assert_eq!(corner.all_jobs().await.len(), 1);

    let connections = corner.connections();
    let now = DeleteParams::default();
    connections.delete("deleted", &now).await.unwrap();
    // Another operator's from now on; this one is told of no deletion.
    corner
        .patch(
            "vanished",
            json!({"metadata": {"labels": {"corner": "another"}}}),
        )
        .await;
    corner
        .patch("runs", json!({"spec": {"suspend": true}}))
        .await;
    let jobs = corner
        .wait_jobs(|jobs| jobs.len() == 1 && name_of(&jobs[0]) == "waits")
        .await;
    assert_eq!(jobs.len(), 1);
    operator.stop().await;
}

fn name_of(job: &k8s_openapi::api::batch::v1::Job) -> &str {
    &job.metadata.labels.as_ref().unwrap()[operator::labels::CONNECTION_NAME]
}
