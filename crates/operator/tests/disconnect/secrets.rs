//! Whose the key in a merchant's Secret is, and what becomes of it.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::support::{Connection, Site};

/// Connects by Secret `posthog`, disconnects, and returns what was told of the key that remains.
async fn disconnect(site: &Site) -> Vec<String> {
    let operator = site.start();
    let connection = Connection::create(site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;
    connection.disconnect().await;
    operator.stop().await;
    connection.told("KeyRemains").await
}

#[tokio::test]
async fn only_our_entry_is_taken_out_of_a_secret_with_others() {
    let site = Site::new().await;
    let others = json!({"stringData": {"shopify": "token"}});
    site.secret("posthog", others).await;
    assert_eq!(disconnect(&site).await, [""; 0]);
    assert_eq!(site.entries("posthog").await.unwrap(), ["shopify"]);
}

#[tokio::test]
async fn what_kubectl_keeps_of_a_secret_loses_the_key_as_well() {
    let site = Site::new().await;
    for manifest in [
        json!({"stringData": {"apiKey": "phx_test", "shopify": "token"}}),
        json!({"data": {"apiKey": "cGh4X3Rlc3Q=", "shopify": "dG9rZW4="}}),
    ] {
        site.kubectl_apply("posthog", &manifest);
        assert_eq!(disconnect(&site).await, [""; 0]);
        let secret = site.secrets().get("posthog").await.unwrap();
        let kept = serde_json::to_string(&secret).unwrap();
        assert!(!kept.contains("phx_test"), "{kept}");
        assert!(!kept.contains("cGh4X3Rlc3Q="), "{kept}");

        // And kubectl goes on as ever.
        let rest = json!({"stringData": {"shopify": "token", "more": "entries"}});
        assert_eq!(
            site.kubectl_apply("posthog", &rest),
            "secret/posthog configured\n"
        );
        assert_eq!(site.entries("posthog").await.unwrap(), ["more", "shopify"]);
    }
}

#[tokio::test]
async fn a_secret_that_is_gone_holds_nothing_up() {
    let site = Site::new().await;
    assert_eq!(disconnect(&site).await, [""; 0]);
}

#[tokio::test]
async fn a_key_that_another_connection_uses_stays_until_that_goes() {
    let site = Site::new().await;
    site.secret("posthog", json!({})).await;
    let operator = site.start();
    let first = Connection::create(&site, "first", "posthog", json!({})).await;
    let second = Connection::create(&site, "second", "posthog", json!({"projectId": 2})).await;
    let (first, second) = (first.settled().await, second.settled().await);

    first.disconnect().await;
    assert_eq!(site.entries("posthog").await.unwrap(), ["apiKey"]);
    let told = first.surely_told("KeyRemains").await;
    assert!(
        told[0].contains("because connection second uses it too"),
        "{told:?}"
    );

    second.disconnect().await;
    assert_eq!(site.entries("posthog").await, None);
    operator.stop().await;
}

#[tokio::test]
async fn connections_that_go_together_take_their_shared_key_along() {
    let site = Site::new().await;
    site.secret("posthog", json!({})).await;
    let operator = site.start();
    let mut all = Vec::new();
    for name in ["first", "second", "third"] {
        let connection = Connection::create(&site, name, "posthog", json!({})).await;
        all.push(connection.settled().await);
    }
    let every = kube::api::ListParams::default();
    site.connections()
        .delete_collection(&DeleteParams::default(), &every)
        .await
        .unwrap();
    for connection in &all {
        connection.gone().await;
    }
    assert_eq!(site.entries("posthog").await, None);
    operator.stop().await;
}

#[tokio::test]
async fn a_secret_with_an_owner_stays_as_it_is() {
    let site = Site::new().await;
    // Any object serves as owner, as long as it exists: without one the garbage collector comes.
    site.secret("owner", json!({})).await;
    let owner = site.secrets().get("owner").await.unwrap().uid();
    let owner = json!({"apiVersion": "v1", "kind": "Secret", "name": "owner", "uid": owner});
    site.secret("posthog", json!({"metadata": {"ownerReferences": [owner]}}))
        .await;
    let told = disconnect(&site).await;
    assert!(
        told[0].contains("because Secret owner owns it. Remove it where"),
        "{told:?}"
    );
    assert_eq!(site.entries("posthog").await.unwrap(), ["apiKey"]);
}

#[tokio::test]
async fn a_secret_that_helm_or_gitops_delivers_stays_as_it_is() {
    let site = Site::new().await;
    for (metadata, tool) in [
        (
            json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}),
            "Helm",
        ),
        (
            json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}),
            "Flux",
        ),
        (
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Secret:a/b"}}),
            "Argo CD",
        ),
        (
            json!({"labels": {"reconcile.external-secrets.io/managed": "true"}}),
            "External Secrets",
        ),
    ] {
        site.secret("posthog", json!({"metadata": metadata})).await;
        let told = disconnect(&site).await;
        let because = format!("because {tool} manages it (");
        assert!(
            told.iter().any(|note| note.contains(&because)),
            "{tool}: {told:?}"
        );
        assert_eq!(site.entries("posthog").await.unwrap(), ["apiKey"], "{tool}");
        let secrets = site.secrets();
        secrets
            .delete("posthog", &DeleteParams::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_immutable_secret_with_other_entries_stays_as_it_is() {
    let site = Site::new().await;
    let more = json!({"immutable": true, "stringData": {"shopify": "token"}});
    site.secret("posthog", more).await;
    let told = disconnect(&site).await;
    assert!(told[0].contains("the Secret is immutable"), "{told:?}");
    assert_eq!(
        site.entries("posthog").await.unwrap(),
        ["apiKey", "shopify"]
    );
}

#[tokio::test]
async fn what_the_kind_of_secret_requires_stays_and_is_told() {
    let site = Site::new().await;
    // The API server refuses a Secret of this type without its key.
    let more = json!({
        "type": "kubernetes.io/ssh-auth",
        "stringData": {"ssh-privatekey": "phx_test", "other": "entry"},
    });
    site.secret("posthog", more).await;
    let operator = site.start();
    let reference = json!({"apiKeySecretRef": {"name": "posthog", "key": "ssh-privatekey"}});
    let connection = Connection::create(&site, "storefront", "posthog", reference).await;
    let connection = connection.settled().await;
    connection.disconnect().await;
    let told = connection.surely_told("KeyRemains").await;
    assert!(
        told[0].contains("because the API server refuses the change: "),
        "{told:?}"
    );
    assert!(!told[0].contains("phx_test"), "{told:?}");
    operator.stop().await;
}

#[tokio::test]
async fn an_operator_that_may_not_forget_says_what_remains_and_how_to_remove_it() {
    let mut site = Site::new().await;
    site.config.may_forget_secrets = false;
    site.secret("posthog", json!({})).await;
    let told = disconnect(&site).await;
    let command = format!(
        "kubectl -n {} patch secret posthog --type=json -p '[{{\"op\":\"remove\",\"path\":\"/data/apiKey\"}}]'",
        site.workspace
    );
    assert!(told[0].contains(&command), "{told:?}");
    assert_eq!(site.entries("posthog").await.unwrap(), ["apiKey"]);

    // And the command does what is said of it.
    let removal: Patch<Secret> = Patch::Json(
        serde_json::from_value(json!([{"op": "remove", "path": "/data/apiKey"}])).unwrap(),
    );
    let secrets = site.secrets();
    secrets
        .patch("posthog", &PatchParams::default(), &removal)
        .await
        .unwrap();
    assert_eq!(site.entries("posthog").await.unwrap(), [""; 0]);
}

/// A client that may do all that an operator does, and this with Secrets of merchants.
async fn operator_with(site: &Site, verbs: &[&str]) -> kube::Client {
    let groups = [
        "integrations.ordinary.dev",
        "batch",
        "events.k8s.io",
        "coordination.k8s.io",
    ];
    let rules = json!([
        {"apiGroups": groups, "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": verbs},
    ]);
    site.server.client_with(&site.home, rules).await.unwrap()
}

#[tokio::test]
async fn an_operator_without_the_right_goes_on_and_tells() {
    let site = Site::new().await;
    site.secret("posthog", json!({})).await;
    let operator = site.start_as(operator_with(&site, &["get"]).await);
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;
    connection.disconnect().await;
    let told = connection.surely_told("KeyRemains").await;
    assert!(told[0].contains("cannot"), "{told:?}");
    assert_eq!(site.entries("posthog").await.unwrap(), ["apiKey"]);
    operator.stop().await;
}

#[tokio::test]
async fn an_operator_that_may_not_delete_secrets_empties_them() {
    let site = Site::new().await;
    site.secret("posthog", json!({})).await;
    let operator = site.start_as(operator_with(&site, &["get", "patch"]).await);
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;
    connection.disconnect().await;
    assert_eq!(site.entries("posthog").await.unwrap(), [""; 0]);
    assert_eq!(connection.surely_told("KeyForgotten").await.len(), 1);
    operator.stop().await;
}
