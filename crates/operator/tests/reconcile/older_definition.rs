//! Objects that an older definition let in.

use crd::{PostHogConnection, reasons};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::{Api, CustomResourceExt};
use serde_json::json;
use test_kubernetes::Server;

use crate::harness::{Corner, eventually};

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
        // The operator of that time had taken it on.
        "metadata": {
            "name": "old",
            "labels": {"corner": corner.own},
            "finalizers": [operator::FINALIZER],
        },
        "spec": {"host": "https://eu.posthog.com", "project": "4242"},
    }))
    .unwrap();
    old.create(&PostParams::default(), &object).await.unwrap();
    server.install(&PostHogConnection::crd()).await.unwrap();

    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.ready("storefront").await;
    let events: Api<Event> = Api::namespaced(corner.client.clone(), &corner.tenant);
    let about_old = ListParams::default().fields("regarding.name=old");
    let told = eventually("somebody is told", async || {
        events.list(&about_old).await.unwrap().items.pop()
    })
    .await;
    assert_eq!(told.reason.as_deref(), Some(reasons::INVALID_SPEC));
    assert!(told.note.unwrap().contains("does not fit this version"));
    operator.is_calm().await;

    // It can still go, although nobody can read it.
    old.delete("old", &DeleteParams::default()).await.unwrap();
    eventually("it is gone", async || {
        old.get_opt("old").await.unwrap().is_none().then_some(())
    })
    .await;
    operator.stop().await;
}
