//! Every field of the spec can be changed, and changed back.

use std::collections::BTreeSet;

use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::connections::{UnknownFields, get, set, tenant};

/// A spec with every field, and another value for each.
fn spec() -> Value {
    json!({
        "host": "https://eu.posthog.com",
        "projectId": 4242,
        "apiKeySecretRef": {"name": "posthog", "key": "apiKey"},
        "suspend": false,
        "mapping": {
            "productViewed": {"events": [{"name": "$pageview", "urlPath": "/products/*"}]},
            "addedToCart": {"events": [{"name": "product added to cart", "urlPath": ""}]},
            "checkoutStarted": {"source": "Auto", "events": [{"name": "checkout started", "urlPath": ""}]},
        },
        "backfill": {"days": 30, "via": "Auto"},
        "refresh": {"interval": "1h", "lookback": "6h"},
        "autocapture": {
                "enabled": true,
                "pageTemplates": ["/products/*", "/collections/*", "/collections/*/*", "/blogs/*", "/blogs/*/*"],
                "dataAttributes": ["data-attr"],
            },
        "cohorts": {"include": "All"},
        "identity": {"customerIdProperties": ["customer_id"], "anonymousIdProperties": ["clientId"]},
        "timeZone": "Europe/Berlin",
        "retentionDays": 400,
        "deletionPolicy": "Delete",
        "deletionGracePeriod": "168h",
    })
}

fn other_values() -> Vec<(&'static str, Value)> {
    vec![
        ("host", json!("https://us.posthog.com")),
        ("projectId", json!(4343)),
        ("apiKeySecretRef.name", json!("other")),
        ("apiKeySecretRef.key", json!("token")),
        ("suspend", json!(true)),
        (
            "mapping.productViewed.events",
            json!([{"name": "seen", "urlPath": "/p/**"}]),
        ),
        (
            "mapping.addedToCart.events",
            json!([{"name": "added", "urlPath": "/cart"}]),
        ),
        ("mapping.checkoutStarted.source", json!("Shopify")),
        (
            "mapping.checkoutStarted.events",
            json!([{"name": "began", "urlPath": "/checkout"}]),
        ),
        ("backfill.days", json!(365)),
        ("backfill.via", json!("Query")),
        ("refresh.interval", json!("5m")),
        ("refresh.lookback", json!("24h")),
        ("autocapture.enabled", json!(false)),
        ("autocapture.pageTemplates", json!(["/lookbook/*"])),
        ("autocapture.dataAttributes", json!(["data-qa"])),
        ("cohorts.include", json!("None")),
        ("identity.customerIdProperties", json!(["shopper"])),
        ("identity.anonymousIdProperties", json!([])),
        ("timeZone", json!("America/New_York")),
        ("retentionDays", json!(1)),
        ("deletionPolicy", json!("Retain")),
        ("deletionGracePeriod", json!("0s")),
    ]
}

/// The paths of a schema's fields; those of lists are the list itself.
fn fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(properties) => {
            for (name, property) in properties {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                fields(property, &path, found);
            }
        }
        None => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_field_of_the_schema_is_changed_here_but_the_refused_one() {
    let definition = serde_json::to_value(crd::PostHogConnection::crd()).unwrap();
    let schema =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut declared = BTreeSet::new();
    fields(schema, "", &mut declared);
    assert!(declared.remove("mapping.orderCompleted"));
    let changed: BTreeSet<String> = other_values()
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .collect();
    assert_eq!(declared, changed);
}

#[tokio::test]
async fn every_field_is_changed_and_changed_back() {
    let tenant = tenant().await;
    let mut connection = crate::connections::minimal("storefront");
    connection["spec"] = spec();
    let stored = tenant
        .create(&connection, UnknownFields::Strict)
        .await
        .unwrap();
    assert_eq!(stored["spec"], spec());
    for (path, other) in other_values() {
        let before = get(&spec(), path).clone();
        assert_ne!(before, other, "{path}");
        for value in [other, before] {
            let mut change = json!({});
            set(&mut change, &format!("spec.{path}"), value.clone());
            let stored = tenant.merge("storefront", &change).await.unwrap();
            assert_eq!(get(&stored["spec"], path), &value, "{path}");
            let mut expected = spec();
            set(&mut expected, path, value);
            assert_eq!(stored["spec"], expected, "{path} changed something else");
        }
    }
    let changes = i64::try_from(other_values().len()).unwrap() * 2;
    let last = tenant.merge("storefront", &json!({})).await.unwrap();
    assert_eq!(last["metadata"]["generation"], json!(1 + changes));
}

#[tokio::test]
async fn a_mapping_is_removed_and_comes_back() {
    let tenant = tenant().await;
    let mut connection = crate::connections::minimal("storefront");
    connection["spec"] = spec();
    tenant
        .create(&connection, UnknownFields::Strict)
        .await
        .unwrap();
    let stored = tenant
        .merge(
            "storefront",
            &json!({"spec": {"mapping": null, "timeZone": null}}),
        )
        .await
        .unwrap();
    assert_eq!(stored["spec"].get("mapping"), None);
    assert_eq!(stored["spec"].get("timeZone"), None);
    let stored = tenant
        .merge("storefront", &json!({"spec": spec()}))
        .await
        .unwrap();
    assert_eq!(stored["spec"], spec());
}
