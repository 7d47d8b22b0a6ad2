//! Server-side apply: several managers own entries of one list.

use serde_json::{Value, json};

use crate::connections::{minimal, tenant};

/// What a manager applies who cares for nothing but rules of one stage.
fn rules(name: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": crd::API_VERSION,
        "kind": crd::KIND,
        "metadata": {"name": name},
        "spec": {"mapping": {"productViewed": {"events": rules}}},
    })
}

#[tokio::test]
async fn two_managers_own_rules_of_one_stage() {
    let tenant = tenant().await;
    let mut owned = minimal("storefront");
    owned["spec"]["mapping"] =
        json!({"productViewed": {"events": [{"name": "$pageview", "urlPath": "/products/*"}]}});
    tenant.apply("storefront", "gitops", &owned).await.unwrap();

    // The same name with another path is another rule; a path that is left out is any page.
    let theirs = json!([{"name": "$pageview", "urlPath": "/p/*"}, {"name": "Product Viewed"}]);
    let stored = tenant
        .apply("storefront", "shop", &rules("storefront", &theirs))
        .await
        .unwrap();
    let events = &stored["spec"]["mapping"]["productViewed"]["events"];
    assert_eq!(
        *events,
        json!([
            {"name": "$pageview", "urlPath": "/products/*"},
            {"name": "$pageview", "urlPath": "/p/*"},
            {"name": "Product Viewed", "urlPath": ""},
        ])
    );

    owned["spec"]["mapping"] = json!({});
    let stored = tenant.apply("storefront", "gitops", &owned).await.unwrap();
    let events = stored["spec"]["mapping"]["productViewed"]["events"]
        .as_array()
        .unwrap();
    assert_eq!(
        events.len(),
        2,
        "only the first manager's is gone: {events:?}"
    );
}

#[tokio::test]
async fn two_managers_who_differ_over_one_field_are_told() {
    let tenant = tenant().await;
    let mut owned = minimal("storefront");
    owned["spec"]["suspend"] = json!(false);
    tenant.apply("storefront", "gitops", &owned).await.unwrap();
    let mut theirs = rules("storefront", &json!([{"name": "seen"}]));
    theirs["spec"]["suspend"] = json!(true);
    let refused = tenant
        .apply("storefront", "shop", &theirs)
        .await
        .unwrap_err();
    assert!(
        refused.contains("gitops") && refused.contains(".spec.suspend"),
        "{refused}"
    );
}

#[tokio::test]
async fn each_condition_can_be_owned_by_another_manager() {
    let tenant = tenant().await;
    tenant
        .apply("storefront", "gitops", &minimal("storefront"))
        .await
        .unwrap();
    let condition = |kind: &str| {
        json!({
            "apiVersion": crd::API_VERSION,
            "kind": crd::KIND,
            "metadata": {"name": "storefront"},
            "status": {"conditions": [{
                "type": kind, "status": "True", "reason": "Any", "message": "Any.",
                "lastTransitionTime": "2026-03-01T12:00:00Z",
            }]},
        })
    };
    tenant
        .apply("storefront/status", "ordinary-posthog", &condition("Ready"))
        .await
        .unwrap();
    let stored = tenant
        .apply("storefront/status", "policy", &condition("Audited"))
        .await
        .unwrap();
    let conditions = stored["status"]["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 2, "{conditions:?}");
}
