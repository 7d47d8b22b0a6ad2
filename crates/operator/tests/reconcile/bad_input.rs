//! What cannot be used is told with the fix, harms nobody else and is not tried in a hot loop.

use crd::PostHogConnection;
use crd::{ConditionStatus, PLAN_ELIGIBLE, READY, reasons};
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::{Api, CustomResourceExt, ResourceExt};
use serde_json::json;
use test_kubernetes::Server;

use crate::harness::{Corner, condition, message};

#[tokio::test]
async fn an_unknown_plan_and_none_are_told_apart() {
    let corner = Corner::on_plan(None).await;
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
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
async fn a_host_inside_the_cluster_is_refused() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    for (name, host) in [
        ("link-local", "https://169.254.169.254"),
        ("private", "https://10.0.0.1"),
        ("plain", "http://posthog.example"),
    ] {
        corner.apply(name, corner.spec(json!({"host": host}))).await;
        let connection = corner
            .condition(name, READY, ConditionStatus::False, reasons::HOST_REFUSED)
            .await;
        assert!(condition(&connection, crd::STALLED).is_some());
    }
    assert!(corner.all_jobs().await.is_empty());
    operator.stop().await;
}

#[tokio::test]
async fn a_quota_that_forbids_the_job_is_named_and_lifted() {
    let corner = Corner::open().await;
    let quota = json!({
        "metadata": {"name": "no-jobs"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    });
    let _: ResourceQuota = corner.create(&corner.own, quota).await;
    corner.jobs_admitted(false).await;
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    let connection = corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::False,
            reasons::JOB_REFUSED,
        )
        .await;
    assert!(
        message(&connection, READY).contains("exceeded quota: no-jobs"),
        "{}",
        message(&connection, READY)
    );
    let version = connection.resource_version();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let later = corner.connections().get("storefront").await.unwrap();
    assert_eq!(later.resource_version(), version);

    let quotas: Api<ResourceQuota> = Api::namespaced(corner.client.clone(), &corner.own);
    quotas
        .delete("no-jobs", &DeleteParams::default())
        .await
        .unwrap();
    corner.jobs_admitted(true).await;
    operator.stop().await;
    corner.clock.advance(jiff::SignedDuration::from_mins(2));
    let operator = corner.operate();
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::True,
            reasons::AS_DESIRED,
        )
        .await;
    // The refusal stays over while its Job is seen to run.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let later = corner.connections().get("storefront").await.unwrap();
    let ready = condition(&later, READY).unwrap();
    assert_eq!(ready.status, ConditionStatus::True, "{ready:?}");
    operator.stop().await;
}

#[tokio::test]
async fn a_project_that_is_not_there_and_a_scope_that_is_missing_are_the_merchants_words() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner
        .apply("other", corner.spec(json!({"projectId": 1})))
        .await;
    let connection = corner
        .condition(
            "other",
            READY,
            ConditionStatus::False,
            reasons::PROJECT_NOT_FOUND,
        )
        .await;
    assert!(message(&connection, READY).starts_with("Project not found: "));
    corner.stub.edit(|world| {
        let key = world.key_mut(crate::harness::KEY).unwrap();
        *key = key.clone().scopes(["project:read"]);
    });
    corner.apply("scoped", corner.spec(json!({}))).await;
    let connection = corner
        .condition(
            "scoped",
            READY,
            ConditionStatus::False,
            reasons::MISSING_SCOPE,
        )
        .await;
    assert!(message(&connection, READY).starts_with("Missing scope: "));
    operator.stop().await;
}

#[tokio::test]
async fn a_namespace_that_goes_takes_its_connection_along() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::True,
            reasons::AS_DESIRED,
        )
        .await;
    let namespaces: Api<Namespace> = Api::all(corner.client.clone());
    namespaces
        .delete(&corner.tenant, &DeleteParams::default())
        .await
        .unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while namespaces.get_opt(&corner.tenant).await.unwrap().is_some() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the namespace hangs"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    corner.wait_jobs(<[_]>::is_empty).await;
    operator.stop().await;
}

#[tokio::test]
async fn an_object_that_an_older_definition_let_in_is_told_and_harms_nobody_else() {
    // A cluster of its own, for the definition belongs to no namespace.
    let server = Server::start().unwrap();
    let mut lax = PostHogConnection::crd();
    for version in &mut lax.spec.versions {
        version.schema = serde_json::from_value(json!({"openAPIV3Schema": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
        }}))
        .unwrap();
    }
    server.install(&lax).await.unwrap();
    let corner = Corner::on(&server, Some("starter")).await;
    let kind = ApiResource::erase::<PostHogConnection>(&());
    let old: Api<DynamicObject> =
        Api::namespaced_with(corner.client.clone(), &corner.tenant, &kind);
    let object = serde_json::from_value(json!({
        "apiVersion": crd::API_VERSION,
        "kind": crd::KIND,
        "metadata": {"name": "old", "labels": {"corner": corner.own}},
        "spec": {"host": "https://eu.posthog.com", "project": "4242"},
    }))
    .unwrap();
    old.create(&PostParams::default(), &object).await.unwrap();
    server.install(&PostHogConnection::crd()).await.unwrap();

    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::True,
            reasons::AS_DESIRED,
        )
        .await;
    let events: Api<Event> = Api::namespaced(corner.client.clone(), &corner.tenant);
    let about_old = ListParams::default().fields("regarding.name=old");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let told = loop {
        let mut found = events.list(&about_old).await.unwrap().items;
        if let Some(told) = found.pop() {
            break told;
        }
        assert!(tokio::time::Instant::now() < deadline, "nobody is told");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(told.reason.as_deref(), Some(reasons::INVALID_SPEC));
    assert!(told.note.unwrap().contains("does not fit this version"));
    operator.stop().await;
}
