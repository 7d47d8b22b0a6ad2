//! What the API server refuses, and the fix that its answer names.

use serde_json::{Value, json};

use crate::connections::{Tenant, UnknownFields, tenant, with};

/// That a value at a path is refused with an answer that says each of `words`.
async fn refused(tenant: &Tenant, path: &str, value: Value, words: &[&str]) {
    refused_with(tenant, path, value, words, UnknownFields::Strict).await;
}

async fn refused_with(
    tenant: &Tenant,
    path: &str,
    value: Value,
    words: &[&str],
    unknown: UnknownFields,
) {
    match tenant
        .create(&with("refused", path, value.clone()), unknown)
        .await
    {
        Ok(stored) => panic!("{path}: {value} is stored: {stored}"),
        Err(message) => {
            for word in words {
                assert!(
                    message.contains(word),
                    "{path}: {value}: not {word:?} but: {message}"
                );
            }
        }
    }
}

fn rules(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

#[tokio::test]
async fn a_host_is_an_address_without_user_password_or_path() {
    let tenant = tenant().await;
    let scheme = "host must begin with https://, such as https://eu.posthog.com";
    let user = "host must not contain a user name or password: the key belongs in apiKeySecretRef";
    let path = "host must end after the host name: remove the path";
    for (host, words) in [
        ("eu.posthog.com", scheme),
        ("ftp://eu.posthog.com", scheme),
        ("https://phx_key@eu.posthog.com", user),
        ("https://user:phx_key@eu.posthog.com", user),
        ("https://eu.posthog.com/project/4242", path),
        ("https://eu.posthog.com?project=4242", path),
        ("", "spec.host"),
    ] {
        refused(&tenant, "spec.host", json!(host), &["spec.host", words]).await;
    }
    refused(
        &tenant,
        "spec.host",
        json!("https://".to_owned() + &"a".repeat(300)),
        &["spec.host", "300"],
    )
    .await;
}

#[tokio::test]
async fn order_completed_is_refused_whatever_it_says_and_whoever_looks_at_unknown_fields() {
    let tenant = tenant().await;
    for value in [
        json!({}),
        json!(null),
        json!({"events": [{"name": "checkout completed"}]}),
    ] {
        for unknown in [UnknownFields::Strict, UnknownFields::Ignore] {
            let words = [
                "Shopify's orders/create webhook",
                "remove mapping.orderCompleted",
            ];
            refused_with(
                &tenant,
                "spec.mapping.orderCompleted",
                value.clone(),
                &words,
                unknown,
            )
            .await;
        }
    }
}

#[tokio::test]
async fn one_event_belongs_to_one_stage() {
    let tenant = tenant().await;
    let stages = ["productViewed", "addedToCart", "checkoutStarted"];
    for (first, second) in [(0, 1), (0, 2), (1, 2)] {
        let (first, second) = (stages[first], stages[second]);
        let mapping = json!({
            first: {"events": rules(&["only here", "in both"])},
            second: {"events": rules(&["in both", "only there"])},
        });
        let words =
            format!("one event belongs to one stage: {first} and {second} name the same event");
        refused(
            &tenant,
            "spec.mapping",
            mapping,
            &[&words, "remove it from one of them"],
        )
        .await;
    }
    let differ_by_case = json!({
        "productViewed": {"events": rules(&["Added"])},
        "addedToCart": {"events": rules(&["added"])},
        "checkoutStarted": {"source": "Shopify"},
    });
    let stored = with("cases-differ", "spec.mapping", differ_by_case);
    tenant.create(&stored, UnknownFields::Strict).await.unwrap();
}

#[tokio::test]
async fn a_name_that_means_an_order_feeds_no_stage() {
    let tenant = tenant().await;
    let words = [
        "the name means an order",
        "Shopify's orders/create webhook",
        "remove it",
    ];
    for stage in ["productViewed", "addedToCart", "checkoutStarted"] {
        for name in [
            "order completed",
            "Order Placed",
            "checkout_completed",
            "purchase",
            "completed checkout",
        ] {
            let path = format!("spec.mapping.{stage}");
            let field = format!("{path}.events[0].name");
            let events = json!({"events": rules(&[name])});
            let words = [words.as_slice(), &[field.as_str()]].concat();
            refused(&tenant, &path, events, &words).await;
        }
    }
    let fine = json!({"events": rules(&["checkout started", "order form opened", "$purchase"])});
    let fine = with("no-orders", "spec.mapping.checkoutStarted", fine);
    tenant.create(&fine, UnknownFields::Strict).await.unwrap();
}

#[tokio::test]
async fn a_stage_has_one_to_32_rules_of_names_and_paths() {
    let tenant = tenant().await;
    let stage = "spec.mapping.addedToCart.events";
    let names: Vec<String> = (0..33).map(|n| format!("event {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    refused(&tenant, stage, rules(&names), &[stage, "32"]).await;
    refused(&tenant, stage, json!([]), &[stage, "at least 1"]).await;
    refused(&tenant, stage, rules(&[""]), &["name", "at least 1"]).await;
    refused(&tenant, stage, rules(&[&"n".repeat(401)]), &["name", "400"]).await;
    refused(
        &tenant,
        stage,
        rules(&["twice", "twice"]),
        &["Duplicate value", "twice"],
    )
    .await;
    let no_path = json!([{"name": "$pageview", "urlPath": "products/*"}]);
    refused(&tenant, stage, no_path, &["urlPath", "^(/.*)?$"]).await;
    let most = json!(
        [&names[..31], &[&*"n".repeat(400)]]
            .concat()
            .iter()
            .map(|name| json!({"name": name}))
            .collect::<Vec<_>>()
    );
    tenant
        .create(&with("most-rules", stage, most), UnknownFields::Strict)
        .await
        .unwrap();
}

#[tokio::test]
async fn days_and_numbers_have_bounds() {
    let tenant = tenant().await;
    for (path, low, high) in [
        ("spec.backfill.days", 1, 365),
        ("spec.retentionDays", 1, 3650),
    ] {
        refused(
            &tenant,
            path,
            json!(low - 1),
            &[path, &format!("greater than or equal to {low}")],
        )
        .await;
        refused(
            &tenant,
            path,
            json!(high + 1),
            &[path, &format!("less than or equal to {high}")],
        )
        .await;
    }
    refused(
        &tenant,
        "spec.projectId",
        json!(0),
        &["spec.projectId", "greater than or equal to 1"],
    )
    .await;
    refused(
        &tenant,
        "spec.projectId",
        json!("4242"),
        &["spec.projectId", "integer"],
    )
    .await;
    refused(&tenant, "spec.projectId", json!(null), &["spec.projectId"]).await;
}

#[tokio::test]
async fn intervals_have_bounds_and_a_lookback_that_is_not_shorter() {
    let tenant = tenant().await;
    let bounds = "must be between 5m and 24h";
    for (interval, lookback) in [("4m59s", "6h"), ("24h1s", "24h"), ("25h", "25h")] {
        let refresh = json!({"interval": interval, "lookback": lookback});
        refused(
            &tenant,
            "spec.refresh",
            refresh,
            &["spec.refresh.interval", bounds],
        )
        .await;
    }
    let far = json!({"interval": "1h", "lookback": "25h"});
    refused(
        &tenant,
        "spec.refresh",
        far,
        &["spec.refresh.lookback", bounds],
    )
    .await;
    let set_lookback = "lookback must not be shorter than interval: set lookback too";
    refused(
        &tenant,
        "spec.refresh.interval",
        json!("12h"),
        &["spec.refresh", set_lookback],
    )
    .await;
    refused(
        &tenant,
        "spec.refresh.lookback",
        json!("30m"),
        &["spec.refresh", set_lookback],
    )
    .await;
    for no_duration in ["1 hour", "1d", "PT1H", "", "h", "-1h", "1.5h"] {
        refused(
            &tenant,
            "spec.refresh.interval",
            json!(no_duration),
            &["spec.refresh.interval"],
        )
        .await;
    }
    let grace = "must be 8760h (a year) or less: to keep rows for good, set deletionPolicy: Retain";
    refused(
        &tenant,
        "spec.deletionGracePeriod",
        json!("8761h"),
        &[grace],
    )
    .await;
}

#[tokio::test]
async fn a_choice_is_one_of_those_that_exist() {
    let tenant = tenant().await;
    for (path, choices) in [
        (
            "spec.backfill.via",
            ["Auto", "Query", "FileExport"].as_slice(),
        ),
        (
            "spec.mapping.checkoutStarted.source",
            &["Auto", "PostHog", "Shopify"],
        ),
        ("spec.cohorts.include", &["All", "None"]),
        ("spec.deletionPolicy", &["Delete", "Retain"]),
    ] {
        let words: Vec<&str> = [path].iter().chain(choices).copied().collect();
        refused(&tenant, path, json!("Other"), &words).await;
    }
}

#[tokio::test]
async fn a_secret_is_named_by_a_name_in_the_same_namespace() {
    let tenant = tenant().await;
    refused(
        &tenant,
        "spec.apiKeySecretRef.name",
        json!("Not_A_Name"),
        &["spec.apiKeySecretRef.name"],
    )
    .await;
    refused(
        &tenant,
        "spec.apiKeySecretRef.key",
        json!("a/b"),
        &["spec.apiKeySecretRef.key"],
    )
    .await;
    refused(
        &tenant,
        "spec.apiKeySecretRef",
        json!({"key": "apiKey"}),
        &["spec.apiKeySecretRef.name", "Required"],
    )
    .await;
    let elsewhere = json!({"name": "posthog", "namespace": "somebody-else"});
    refused(
        &tenant,
        "spec.apiKeySecretRef",
        elsewhere,
        &["unknown field", "namespace"],
    )
    .await;
}

#[tokio::test]
async fn a_property_names_customers_or_visitors_but_not_both() {
    let tenant = tenant().await;
    let both = json!({"customerIdProperties": ["id"], "anonymousIdProperties": ["client", "id"]});
    refused(
        &tenant,
        "spec.identity",
        both,
        &["a property names either customers or anonymous visitors"],
    )
    .await;
    let twice = json!({"customerIdProperties": ["id", "id"]});
    refused(&tenant, "spec.identity", twice, &["Duplicate value"]).await;
}

#[tokio::test]
async fn an_unknown_field_is_refused_to_kubectl_and_dropped_for_who_asks_not_to_look() {
    let tenant = tenant().await;
    refused(
        &tenant,
        "spec.plan",
        json!("scale"),
        &["unknown field", "spec.plan"],
    )
    .await;
    let misspelt = with("misspelt", "spec.plan", json!("scale"));
    let stored = tenant
        .create(&misspelt, UnknownFields::Ignore)
        .await
        .unwrap();
    assert_eq!(stored["spec"].get("plan"), None);
}

#[tokio::test]
async fn what_is_refused_at_creation_is_refused_as_a_change() {
    let tenant = tenant().await;
    tenant
        .create(
            &crate::connections::minimal("changed"),
            UnknownFields::Strict,
        )
        .await
        .unwrap();
    for change in [
        json!({"spec": {"mapping": {"orderCompleted": {}}}}),
        json!({"spec": {"host": "ftp://eu.posthog.com"}}),
        json!({"spec": {"refresh": {"interval": "7h"}}}),
        json!({"spec": {"backfill": {"days": 0}}}),
    ] {
        tenant.merge("changed", &change).await.unwrap_err();
    }
}
