//! `release-finalizers`, as the chart's hook runs it before an uninstall.

use crd::PostHogConnection;
use kube::api::PostParams;
use kube::{Api, CustomResourceExt, ResourceExt};
use serde_json::json;
use test_kubernetes::Server;

use crate::support::home::Home;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_released_and_stay_and_their_number_is_told() {
    // A cluster of its own: an operator that another test runs would set the finalizer again.
    let server = Server::start().unwrap();
    server.install(&PostHogConnection::crd()).await.unwrap();
    let namespace = server.namespace("acme", &[]).await.unwrap();
    let client = server.client().unwrap();
    let connections: Api<PostHogConnection> = Api::namespaced(client, &namespace);
    let connection: PostHogConnection = serde_json::from_value(json!({
        "metadata": {"name": "storefront", "finalizers": [operator::FINALIZER]},
        "spec": {
            "host": "https://eu.posthog.com",
            "projectId": 4242,
            "apiKeySecretRef": {"name": "posthog", "key": "apiKey"},
        },
    }))
    .unwrap();
    let made = connections
        .create(&PostParams::default(), &connection)
        .await;
    made.unwrap();

    let home = Home::new();
    let release = || {
        home.program(&[
            "release-finalizers",
            "--stop-deployment=ordinary-posthog/ordinary-posthog-operator",
        ])
        .variable("KUBECONFIG", server.kubeconfig().to_str().unwrap())
    };
    let first = release().run().await;
    first
        .with_code(0)
        .says(&["Stopped the operator", "Released 1 connection:"]);
    let found = connections.get("storefront").await.unwrap();
    assert_eq!(found.finalizers(), [""; 0]);
    let second = release().run().await;
    second.with_code(0).says(&["Released 0 connections:"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_cluster_the_message_says_so() {
    let home = Home::new();
    home.program(&["release-finalizers"])
        .run()
        .await
        .with_code(22)
        .says(&["KUBECONFIG"]);
    home.program(&["release-finalizers", "--stop-deployment", "operator"])
        .run()
        .await
        .with_code(2)
        .says(&["write a namespace and a name"]);
}
