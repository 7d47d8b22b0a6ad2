//! What the API server fills in.

use serde_json::json;

use crate::connections::{UnknownFields, minimal, tenant, with};

#[tokio::test]
async fn a_minimal_connection_gets_every_default() {
    let tenant = tenant().await;
    let stored = tenant
        .create(&minimal("defaults"), UnknownFields::Strict)
        .await
        .unwrap();
    assert_eq!(
        stored["spec"],
        json!({
            "host": "https://eu.posthog.com",
            "projectId": 4242,
            "apiKeySecretRef": {"name": "posthog", "key": "apiKey"},
            "suspend": false,
            "backfill": {"days": 30, "via": "Auto"},
            "refresh": {"interval": "1h", "lookback": "6h"},
            "autocapture": {
                "enabled": true,
                "pageTemplates": ["/products/*", "/collections/*", "/collections/*/*", "/blogs/*", "/blogs/*/*"],
                "dataAttributes": ["data-attr"],
            },
            "cohorts": {"include": "All"},
            "identity": {
                "customerIdProperties": ["shopify_customer_id", "customer_id"],
                "anonymousIdProperties": ["shopify_client_id", "_shopify_y", "shopify_y", "clientId"],
            },
            "retentionDays": 400,
            "deletionPolicy": "Delete",
            "deletionGracePeriod": "168h",
        })
    );
}

#[tokio::test]
async fn an_object_that_is_written_in_part_gets_the_rest() {
    let tenant = tenant().await;
    for (name, path, written, stored) in [
        (
            "refresh",
            "spec.refresh",
            json!({"lookback": "12h"}),
            json!({"interval": "1h", "lookback": "12h"}),
        ),
        (
            "empty",
            "spec.refresh",
            json!({}),
            json!({"interval": "1h", "lookback": "6h"}),
        ),
        (
            "backfill",
            "spec.backfill",
            json!({"days": 90}),
            json!({"days": 90, "via": "Auto"}),
        ),
        (
            "rule",
            "spec.mapping.productViewed.events",
            json!([{"name": "seen"}]),
            json!([{"name": "seen", "urlPath": ""}]),
        ),
        (
            "source",
            "spec.mapping.checkoutStarted",
            json!({}),
            json!({"source": "Auto"}),
        ),
    ] {
        let answer = tenant
            .create(&with(name, path, written), UnknownFields::Strict)
            .await
            .unwrap();
        assert_eq!(crate::connections::get(&answer, path), &stored, "{name}");
    }
}

#[tokio::test]
async fn the_types_read_and_write_what_the_server_stores() {
    let tenant = tenant().await;
    let stored = tenant
        .create(&minimal("typed"), UnknownFields::Strict)
        .await
        .unwrap();
    let typed: crd::PostHogConnection = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(
        serde_json::to_value(&typed).unwrap()["spec"],
        stored["spec"]
    );
}
