//! The cluster of the tests does what a cluster does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use test_kubernetes::Server;

fn server() -> &'static Server {
    Server::shared().unwrap()
}

fn job() -> Job {
    let job = json!({
        "metadata": {"name": "hello"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "hello", "image": "registry.invalid/hello:1"}],
        }}},
    });
    serde_json::from_value(job).unwrap()
}

/// Longer than a busy machine's controllers take.
const PATIENCE: Duration = Duration::from_secs(180);

async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it never came")
}

#[tokio::test]
async fn the_job_controller_makes_a_pod_and_the_garbage_collector_removes_it() {
    let namespace = server().namespace("smoke", &[]).await.unwrap();
    let client = server().client().unwrap();
    let jobs: Api<Job> = Api::namespaced(client.clone(), &namespace);
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    jobs.create(&PostParams::default(), &job()).await.unwrap();
    let pod =
        eventually(async || pods.list(&ListParams::default()).await.unwrap().items.pop()).await;
    assert_eq!(pod.owner_references()[0].name, "hello");
    let (name, id) = (pod.name_any(), pod.uid().unwrap());

    jobs.delete("hello", &DeleteParams::background())
        .await
        .unwrap();
    let gone = await_condition(pods, &name, conditions::is_deleted(&id));
    tokio::time::timeout(PATIENCE, gone).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_service_account_may_do_nothing_until_a_role_says_so() {
    let namespace = server().namespace("smoke", &[]).await.unwrap();
    let client = server().client().unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client, &namespace);
    let account: ServiceAccount =
        serde_json::from_value(json!({"metadata": {"name": "somebody"}})).unwrap();
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();
    let somebody = server().client_of(&namespace, "somebody").await.unwrap();
    let pods: Api<Pod> = Api::namespaced(somebody, &namespace);
    let refused = pods.list(&ListParams::default()).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.is_forbidden()),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains(&format!("system:serviceaccount:{namespace}:somebody")),
        "{refused}"
    );
}

#[tokio::test]
async fn an_audited_server_tells_what_a_service_account_wrote_and_nothing_of_the_admin() {
    let server = Server::start_audited().unwrap();
    let namespace = server.namespace("smoke", &[]).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(server.client().unwrap(), &namespace);
    let account = serde_json::from_value(json!({"metadata": {"name": "writer"}})).unwrap();
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();
    let client = server.client_of(&namespace, "writer").await.unwrap();
    let jobs: Api<Job> = Api::namespaced(client, &namespace);
    jobs.get_opt("hello").await.unwrap_err();
    jobs.create(&PostParams::default(), &job())
        .await
        .unwrap_err();

    let writes = server.writes().unwrap();
    assert_eq!(writes.len(), 1, "{writes:?}");
    let write = &writes[0];
    assert!(
        write
            .user
            .username
            .ends_with(&format!("{namespace}:writer"))
    );
    assert_eq!(
        (write.verb.as_str(), write.object_ref.resource.as_str()),
        ("create", "jobs")
    );
    assert_eq!(write.object_ref.namespace, namespace);
    assert_eq!(write.response_status.code, 403);
}
