//! What people see of connections.

use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::connections::{UnknownFields, minimal, tenant};

fn ready() -> Value {
    json!({"status": {
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "UpToDate", "message": "All is read.",
            "lastTransitionTime": "2026-03-01T12:00:00Z",
        }],
        "project": {"id": 4242, "name": "Storefront", "timeZone": "Europe/Berlin"},
        "lastSync": {
            "startTime": "2026-03-01T12:00:00Z", "completionTime": "2026-03-01T12:01:00Z",
            "events": 12, "duplicates": 3, "lateEvents": 1,
        },
        "nextSyncTime": "2026-03-01T13:00:00Z",
        "eventsLast24h": 1234,
    }})
}

/// The cells of a table's line, which two spaces or more part.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[tokio::test]
async fn a_list_shows_what_matters_and_the_message_when_wide() {
    let tenant = tenant().await;
    tenant
        .create(&minimal("storefront"), UnknownFields::Strict)
        .await
        .unwrap();
    tenant.merge("storefront/status", &ready()).await.unwrap();

    let wide = tenant.kubectl(&["get", "phc", "-o", "wide"], "");
    let lines: Vec<&str> = wide.lines().collect();
    assert_eq!(
        cells(lines[0]),
        [
            "NAME",
            "READY",
            "REASON",
            "PROJECT",
            "LAST SYNC",
            "NEXT SYNC",
            "EVENTS 24H",
            "AGE",
            "MESSAGE"
        ]
    );
    let shown = cells(lines[1]);
    assert_eq!(shown[..4], ["storefront", "True", "UpToDate", "Storefront"]);
    assert!(shown[4].ends_with('d'), "an age: {}", shown[4]);
    assert_eq!(shown[5..7], ["2026-03-01T13:00:00Z", "1234"]);
    assert_eq!(shown[8], "All is read.");

    let narrow = tenant.kubectl(&["get", "posthogconnection"], "");
    assert!(
        !narrow.contains("MESSAGE") && narrow.contains("EVENTS 24H"),
        "{narrow}"
    );
}

#[tokio::test]
async fn a_connection_is_found_by_its_short_name_and_categories() {
    let tenant = tenant().await;
    tenant
        .create(&minimal("storefront"), UnknownFields::Strict)
        .await
        .unwrap();
    for name in [
        "phc",
        "posthogconnection",
        "posthogconnections",
        "ordinary",
        "all",
    ] {
        let found = tenant.kubectl(&["get", name, "-o", "name"], "");
        assert!(
            found.contains("posthogconnection.integrations.ordinary.dev/storefront"),
            "{name}: {found}"
        );
    }
}

#[tokio::test]
async fn kubectl_explains_every_field() {
    let tenant = tenant().await;
    let spec = tenant.kubectl(&["explain", "phc.spec", "--recursive"], "");
    for field in [
        "host",
        "apiKeySecretRef",
        "checkoutStarted",
        "lookback",
        "deletionGracePeriod",
    ] {
        assert!(spec.contains(field), "{field}: {spec}");
    }
    let orders = tenant.kubectl(&["explain", "phc.spec.mapping.orderCompleted"], "");
    let orders: Vec<&str> = orders.split_whitespace().collect();
    let said = "orders always come from Shopify's orders/create webhook";
    assert!(orders.join(" ").contains(said), "{orders:?}");
    let columns = tenant.kubectl(&["explain", "phc.status.nextSyncTime"], "");
    assert!(columns.contains("When the next run is due"), "{columns}");
}

#[tokio::test]
async fn the_definition_is_far_below_what_an_annotation_or_a_secret_can_hold() {
    let size = serde_json::to_vec(&crd::PostHogConnection::crd())
        .unwrap()
        .len();
    assert!(size < 50_000, "{size} bytes");
    // Client-side apply writes the whole definition into an annotation.
    let tenant = tenant().await;
    tenant.kubectl(
        &["apply", "--dry-run=server", "-f", "-"],
        &crd::generate_crd(),
    );
}
