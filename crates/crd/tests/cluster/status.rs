//! The status is a subresource of its own.

use serde_json::json;

use crate::connections::{UnknownFields, minimal, tenant};

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let tenant = tenant().await;
    let mut connection = minimal("storefront");
    connection["status"] = json!({"eventsLast24h": 7});
    let stored = tenant
        .create(&connection, UnknownFields::Strict)
        .await
        .unwrap();
    assert_eq!(
        stored.get("status"),
        None,
        "a status that comes with the spec is dropped"
    );

    let change = json!({"spec": {"suspend": true}, "status": {"eventsLast24h": 7}});
    let stored = tenant.merge("storefront/status", &change).await.unwrap();
    assert_eq!(stored["status"], json!({"eventsLast24h": 7}));
    assert_eq!(stored["spec"]["suspend"], json!(false));
    assert_eq!(stored["metadata"]["generation"], json!(1));

    let stored = tenant.merge("storefront", &change).await.unwrap();
    assert_eq!(stored["spec"]["suspend"], json!(true));
    assert_eq!(stored["metadata"]["generation"], json!(2));
}

#[tokio::test]
async fn a_full_status_comes_back_as_it_was_written() {
    let tenant = tenant().await;
    tenant
        .create(&minimal("storefront"), UnknownFields::Strict)
        .await
        .unwrap();
    let condition = json!({
        "type": "Ready", "status": "False", "reason": "InvalidApiKey", "observedGeneration": 1,
        "message": "Invalid API key", "lastTransitionTime": "2026-03-01T12:00:00Z",
    });
    let written = json!({
        "observedGeneration": 1,
        "conditions": [condition],
        "project": {"id": 4242, "name": "Storefront", "timeZone": "Europe/Berlin"},
        "key": {"maskedValue": "phx_...abcd", "scopes": ["query:read"], "missingScopes": [], "tooBroad": ["*"]},
        "latestEvent": {"name": "$pageview", "timestamp": "2026-03-01T11:59:59.123456Z"},
        "mapping": [{
            "stage": "productViewed", "source": "Default",
            "events": [{"name": "$pageview", "urlPath": "/products/*"}],
            "seenLast7Days": 5, "flags": ["DoubleTracked"], "suggestions": ["Product Viewed"],
        }],
        "backfill": {
            "from": "2026-01-30T00:00:00Z", "to": "2026-03-01T12:00:00Z", "completedThrough": "2026-02-01T00:00:00Z",
            "events": 10, "percent": 7, "via": "Query", "viaReason": "spec.backfill.via is Query",
        },
        "lastSync": {
            "startTime": "2026-03-01T12:00:00Z", "completionTime": "2026-03-01T12:01:00Z",
            "events": 12, "duplicates": 3, "lateEvents": 1,
        },
        "nextSyncTime": "2026-03-01T13:00:00Z",
        "eventsLast24h": 1234,
        "completeness": {"verifiedDays": 28, "pendingDays": 1, "mismatchedDays": 1, "worstDay": "2026-02-03"},
        "persons": {"lastReadTime": "2026-02-27T12:00:00Z", "problem": "the persons of distinct ids were last read then"},
        "lastHandledRefreshRequest": "2026-03-01T12:00:00Z",
    });
    let change = json!({"status": written});
    let stored = tenant.merge("storefront/status", &change).await.unwrap();
    assert_eq!(stored["status"], written);
    let typed: crd::PostHogConnection = serde_json::from_value(stored).unwrap();
    assert_eq!(serde_json::to_value(typed.status).unwrap(), written);
}

#[tokio::test]
async fn a_condition_is_true_false_or_unknown() {
    let tenant = tenant().await;
    tenant
        .create(&minimal("storefront"), UnknownFields::Strict)
        .await
        .unwrap();
    let condition = |status: &str| {
        json!({"status": {"conditions": [{
            "type": "Ready", "status": status, "reason": "Any", "message": "Any.",
            "lastTransitionTime": "2026-03-01T12:00:00Z",
        }]}})
    };
    for status in ["True", "False", "Unknown"] {
        tenant
            .merge("storefront/status", &condition(status))
            .await
            .unwrap();
    }
    let refused = tenant
        .merge("storefront/status", &condition("Maybe"))
        .await
        .unwrap_err();
    assert!(refused.contains("status.conditions[0].status"), "{refused}");
}
