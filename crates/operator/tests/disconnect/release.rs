//! Before the operator is uninstalled: connections stay, and nothing waits for it afterwards.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::support::{Connection, Site};

#[tokio::test]
async fn released_connections_stay_and_go_at_once_when_they_are_deleted() {
    let site = Site::new().await;
    let operator = site.start();
    let mut all = Vec::new();
    for name in ["first", "second", "third"] {
        let connection = Connection::create(&site, name, "posthog", json!({})).await;
        all.push(connection.settled().await);
    }
    operator.stop().await;

    let released = operator::release_finalizers(&site.client).await.unwrap();
    assert!(released >= all.len(), "{released}");
    for connection in &all {
        let found = connection.found().await.unwrap();
        assert_eq!(found.finalizers(), [""; 0]);
        connection.disconnect().await;
    }
    assert_eq!(operator::release_finalizers(&site.client).await.unwrap(), 0);

    // Installed again, it finds what went meanwhile.
    let operator = site.start();
    for connection in &all {
        crate::support::eventually("reads have stopped", async || !connection.is_read().await)
            .await;
    }
    operator.stop().await;
}

#[tokio::test]
async fn finalizers_of_others_stay() {
    let site = Site::new().await;
    let operator = site.start();
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;
    let foreign = json!([
        {"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/audit"},
    ]);
    connection.patch(foreign).await;
    operator.stop().await;

    operator::release_finalizers(&site.client).await.unwrap();
    let found = connection.found().await.unwrap();
    assert_eq!(found.finalizers(), ["example.com/audit"]);
    connection
        .patch(json!([{"op": "remove", "path": "/metadata/finalizers"}]))
        .await;
    connection.disconnect().await;
}

#[tokio::test]
async fn the_operator_is_stopped_first_and_one_that_is_not_there_is_stopped() {
    let site = Site::new().await;
    let labels = json!({"app": "operator"});
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "operator"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "operator", "image": "registry.invalid/operator:test"}]},
            },
        },
    }))
    .unwrap();
    let deployments: Api<Deployment> = Api::namespaced(site.client.clone(), &site.home);
    deployments
        .create(&PostParams::default(), &deployment)
        .await
        .unwrap();

    operator::stop_operator(&site.client, &site.home, "operator")
        .await
        .unwrap();
    let status = deployments.get("operator").await.unwrap().status.unwrap();
    assert_eq!(status.replicas.unwrap_or_default(), 0);
    operator::stop_operator(&site.client, &site.home, "another")
        .await
        .unwrap();
}
