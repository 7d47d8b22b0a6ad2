//! What validation accepts and in which words it refuses.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::generate::generate_crd;

static ORDER_LIKE: std::sync::LazyLock<regex::Regex> =
    std::sync::LazyLock::new(|| regex::Regex::new(crate::mapping::ORDER_LIKE_PATTERN).unwrap());

/// A spec with nothing but what must be there, changed by `change`.
fn written(change: Value) -> PostHogConnection {
    let mut spec = json!({
        "host": "https://eu.i.posthog.com",
        "projectId": 4242,
        "apiKeySecretRef": {"name": "posthog"},
    });
    merge(&mut spec, change);
    serde_json::from_value(json!({
        "apiVersion": crate::API_VERSION,
        "kind": crate::KIND,
        "metadata": {"name": "storefront"},
        "spec": spec,
    }))
    .unwrap()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn problems(change: Value) -> Vec<String> {
    match validate(&written(change), "acme") {
        Ok(valid) => panic!("accepted: {valid:?}"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_minimal_connection_gets_every_default() {
    let valid = validate(&written(json!({})), "acme").unwrap();
    assert_eq!(valid.name.to_string(), "acme/storefront");
    assert_eq!(valid.epoch.host.as_str(), "https://eu.posthog.com");
    assert_eq!(valid.api_key.key, "apiKey");
    assert_eq!(valid.backfill.days, 30);
    assert_eq!(valid.refresh.interval, Duration::from_secs(3600));
    assert_eq!(valid.refresh.lookback, Duration::from_secs(6 * 3600));
    assert_eq!(valid.retention_days, 400);
    assert_eq!(valid.deletion.grace, Duration::from_secs(168 * 3600));
    assert_eq!(valid.deletion.policy, DeletionPolicy::Delete);
    assert!(
        valid.clickmaps == ClickmapPolicy::default() && !valid.suspended && valid.notes.is_empty()
    );
    assert_eq!(valid.id_properties.len(), 6);
    let plan = PlanStanding::of_label(Some("starter"));
    let desired = valid.into_desired(plan.clone());
    assert_eq!((desired.backfill_days, desired.plan), (30, plan));
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_fields() {
    let found = problems(json!({
        "host": "eu.posthog.com",
        "projectId": 0,
        "apiKeySecretRef": {"name": "Post Hog", "key": "api key"},
        "backfill": {"days": 366},
        "refresh": {"interval": "1m", "lookback": "2d"},
        "timeZone": "Berlin",
        "retentionDays": 0,
        "deletionGracePeriod": "9000h",
    }));
    assert_eq!(
        found,
        [
            "spec.host: host \"eu.posthog.com\" has no scheme: write https://eu.posthog.com",
            "spec.projectId: projectId must be a whole number of 1 or more, not 0: copy it from PostHog's project settings",
            "spec.apiKeySecretRef.name: \"Post Hog\" cannot be a Secret's name: write the name of a Secret in the connection's namespace",
            "spec.apiKeySecretRef.key: \"api key\" cannot be a key of a Secret: write the name of the entry in the Secret, such as apiKey",
            "spec.backfill.days: 366 is out of bounds: write 1 to 365",
            "spec.refresh.interval: 1m is too short: write 5m or more",
            "spec.refresh.lookback: \"2d\" is not a duration: write hours, minutes and seconds, such as 1h, 90m or 1h30m",
            "spec.timeZone: timeZone \"Berlin\" is not an IANA time zone: write one such as Europe/Berlin",
            "spec.retentionDays: 0 is out of bounds: write 1 to 3650",
            "spec.deletionGracePeriod: 9000h is too long: write 8760h (a year) or less, or set deletionPolicy: Retain to keep rows for good",
        ]
    );
}

#[test]
fn an_interval_longer_than_the_default_lookback_asks_for_a_lookback() {
    assert_eq!(
        problems(json!({"refresh": {"interval": "8h"}})),
        [
            "spec.refresh.lookback: 6h is shorter than the interval of 8h, so events between two reads would be missed: set lookback too, to 8h or more"
        ]
    );
}

#[test]
fn every_problem_of_a_mapping_is_told_at_its_entry() {
    let found = problems(json!({"mapping": {
        "productViewed": {"events": [
            {"name": "$pageview", "urlPath": "products/*"},
            {"name": "seen"},
            {"name": "seen"},
        ]},
        "addedToCart": {"events": [{"name": ""}, {"name": "seen"}, {"name": "added"}]},
        "checkoutStarted": {"events": []},
        "orderCompleted": null,
    }}));
    assert_eq!(
        found,
        [
            format!(
                "spec.mapping.productViewed.events[0].urlPath: {}",
                domain::page_path::PathPattern::parse("products/*").unwrap_err()
            ),
            "spec.mapping.orderCompleted: Order completed always comes from Shopify's orders/create webhook and is never counted from PostHog: remove mapping.orderCompleted".to_owned(),
            "spec.mapping.productViewed.events[2].name: mapping.productViewed.events lists \"seen\" twice: remove one of them".to_owned(),
            "spec.mapping.addedToCart.events[0].name: mapping.addedToCart.events has a name of 0 characters: PostHog's event names have 1 to 400".to_owned(),
            "spec.mapping.addedToCart.events[1].name: mapping.addedToCart.events names \"seen\", which mapping.productViewed.events already has: one event belongs to one stage, remove it from one of them".to_owned(),
            "spec.mapping.checkoutStarted.events: mapping.checkoutStarted.events has 0 entries: write 1 to 32, or leave mapping.checkoutStarted out for the default".to_owned(),
        ]
    );
}

#[test]
fn a_name_that_means_an_order_is_refused_in_every_stage() {
    let found = problems(json!({"mapping": {
        "productViewed": {"events": [{"name": "Order Completed"}]},
        "addedToCart": {"events": [{"name": "added"}, {"name": "checkout_completed"}]},
        "checkoutStarted": {"events": [{"name": "orderPaid"}]},
    }}));
    let wording = |path: &str, field: &str, name: &str| {
        format!(
            "spec.mapping.{path}.name: mapping.{field}.events names \"{name}\", which means an order: orders come from Shopify's orders/create webhook and are never counted from PostHog, remove it"
        )
    };
    assert_eq!(
        found,
        [
            wording(
                "productViewed.events[0]",
                "productViewed",
                "Order Completed"
            ),
            wording("addedToCart.events[1]", "addedToCart", "checkout_completed"),
            wording("checkoutStarted.events[0]", "checkoutStarted", "orderPaid"),
        ]
    );
}

#[test]
fn the_schemas_order_rule_refuses_the_usual_names() {
    for name in [
        "order completed",
        "checkout_completed",
        "shopify order created",
        "placed order",
        "orders/create",
        "purchase",
        "completed checkout",
        "order refunded v2",
    ] {
        assert!(ORDER_LIKE.is_match(name), "{name}");
    }
}

#[test]
fn one_event_may_have_two_page_patterns_within_a_stage() {
    let valid = validate(
        &written(json!({"mapping": {"productViewed": {"events": [
            {"name": "$pageview", "urlPath": "/products/*"},
            {"name": "$pageview", "urlPath": "/produkte/*"},
        ]}}})),
        "acme",
    )
    .unwrap();
    assert_eq!(valid.mapping.stages()[0].rules.len(), 2);
}

#[test]
fn a_property_names_customers_or_visitors_but_not_both() {
    let found = problems(json!({"identity": {
        "customerIdProperties": ["id", "id", "", "a\u{1}b"],
        "anonymousIdProperties": ["id", "x".repeat(201)],
    }}));
    assert_eq!(
        found,
        [
            "spec.identity.customerIdProperties[1]: \"id\" is already in spec.identity.customerIdProperties: remove one of them",
            "spec.identity.customerIdProperties[2]: is a name of 0 characters: write a property's name of 1 to 200",
            "spec.identity.customerIdProperties[3]: \"a\\u{1}b\" holds the control character \\u{1}: write the property's name without it",
            "spec.identity.anonymousIdProperties[0]: \"id\" is already in spec.identity.customerIdProperties: remove one of them",
            "spec.identity.anonymousIdProperties[1]: is a name of 201 characters: write a property's name of 1 to 200",
        ]
    );
}

#[test]
fn a_key_pasted_into_another_field_is_never_repeated() {
    let found = problems(json!({
        "host": "https://phx_secret@eu.posthog.com",
        "apiKeySecretRef": {"name": "phx_secret", "key": "phx_secret"},
        "mapping": {"addedToCart": {"events": [
            {"name": "x", "urlPath": "phx_secret"}, {"name": "phx_secret"}, {"name": "phx_secret"},
        ]}},
        "timeZone": "phx_secret",
        "refresh": {"interval": "phx_secret"},
        "deletionGracePeriod": "phx_secret",
    }));
    assert_eq!(found.len(), 8);
    for problem in found {
        assert!(!problem.contains("phx_secret"), "{problem}");
    }
}

#[test]
fn names_that_kubernetes_refuses_are_refused() {
    let mut connection = written(json!({}));
    connection.metadata.name = Some("Store_front".to_owned());
    let found = validate(&connection, "acme.com").unwrap_err();
    let paths: Vec<_> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["metadata.name", "metadata.namespace"]);
    connection.metadata.name = None;
    assert_eq!(
        validate(&connection, "acme").unwrap_err()[0].to_string(),
        "metadata.name: is missing: give the connection a name"
    );
}

#[test]
fn a_retention_shorter_than_the_backfill_shortens_it_and_says_so() {
    let valid = validate(&written(json!({"retentionDays": 7})), "acme").unwrap();
    assert_eq!(valid.backfill.days, 7);
    assert_eq!(
        valid.notes[0].to_string(),
        "spec.retentionDays: events are kept for 7 days, so the backfill reads 7 days and not 30: set retentionDays to 30 or more to have all of them"
    );
}

#[test]
fn the_way_of_the_backfill_is_the_one_that_is_written() {
    use domain::backfill_way::BackfillVia::{Auto, FileExport, Query};
    for (spec, via) in [
        (json!({}), Auto),
        (json!({"backfill": {"via": "Auto"}}), Auto),
        (json!({"backfill": {"via": "Query"}}), Query),
        (json!({"backfill": {"via": "FileExport"}}), FileExport),
    ] {
        let valid = validate(&written(spec), "acme").unwrap();
        assert_eq!(valid.backfill.via, via);
        assert!(valid.notes.is_empty(), "{:?}", valid.notes);
    }
}

#[test]
fn clickmaps_are_off_or_made_by_what_is_written() {
    let of = |autocapture: Value| {
        let spec = json!({ "autocapture": autocapture });
        validate(&written(spec), "acme").map(|valid| valid.clickmaps)
    };
    assert_eq!(of(json!({"enabled": false})), Ok(ClickmapPolicy::Off));
    let ClickmapPolicy::On(rules) =
        of(json!({"pageTemplates": ["/lookbook/**"], "dataAttributes": ["data-qa"]})).unwrap()
    else {
        panic!("on");
    };
    assert_eq!(
        rules.page_templates.of("/lookbook/a/b").as_str(),
        "/lookbook/**"
    );
    assert_eq!(
        rules.page_templates.of("/products/a").as_str(),
        "/products/a"
    );
    assert_eq!(Vec::from(rules.data_attributes), ["data-qa"]);
}

#[test]
fn a_wrong_page_template_or_attribute_is_named_by_its_place() {
    for (autocapture, expected) in [
        (
            json!({"pageTemplates": ["/a/*", "products/*"]}),
            "spec.autocapture.pageTemplates[1]: \"products/*\" must begin with a slash: write \"/products/*\"",
        ),
        (
            json!({"pageTemplates": [""]}),
            "spec.autocapture.pageTemplates[0]: is empty: write a path such as /products/*, or remove it",
        ),
        (
            json!({"pageTemplates": ["/a/**", "/a/b"], "enabled": false}),
            "spec.autocapture.pageTemplates[1]: \"/a/b\" can match no page, for pageTemplates[0] \"/a/**\" takes all of them first: write it before that one, or leave it out",
        ),
        (
            json!({"dataAttributes": ["attr__data-x"]}),
            "spec.autocapture.dataAttributes[0]: \"attr__data-x\" begins as in PostHog's elements chain: write \"data-x\"",
        ),
    ] {
        let problems =
            validate(&written(json!({ "autocapture": autocapture })), "acme").unwrap_err();
        assert_eq!(problems[0].to_string(), expected);
    }
}

#[test]
fn the_generated_definition_reads_back_the_same_and_is_small() {
    use kube::CustomResourceExt;
    let yaml = generate_crd();
    assert!(yaml.len() < 100 * 1024, "{} bytes", yaml.len());
    let read: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(
        read,
        serde_json::to_value(PostHogConnection::crd()).unwrap()
    );
}

#[test]
fn the_schema_avoids_the_traps_of_a_real_api_server() {
    let read: Value = serde_saphyr::from_str(&generate_crd()).unwrap();
    let version = &read["spec"]["versions"][0];
    let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let fields = &spec["properties"];
    let orders = &fields["mapping"]["properties"]["orderCompleted"];
    assert_eq!(orders["nullable"], true, "a null is not dropped unseen");
    assert_eq!(orders["x-kubernetes-preserve-unknown-fields"], true);
    assert_eq!(
        fields["refresh"]["default"],
        json!({"interval": "1h", "lookback": "6h"})
    );
    assert_eq!(fields["refresh"]["properties"]["lookback"]["default"], "6h");
    assert_eq!(
        fields["refresh"]["properties"]["interval"]["pattern"],
        crate::DURATION_PATTERN
    );
    let events = &fields["mapping"]["properties"]["productViewed"]["properties"]["events"];
    assert_eq!(events["maxItems"], 32);
    assert_eq!(events["items"]["properties"]["name"]["maxLength"], 400);
    assert_eq!(
        events["x-kubernetes-list-map-keys"],
        json!(["name", "urlPath"])
    );
    assert_eq!(events["items"]["properties"]["urlPath"]["default"], "");
    assert_eq!(
        spec["required"],
        json!(["apiKeySecretRef", "host", "projectId"])
    );
    assert_eq!(version["subresources"], json!({"status": {}}));
    let names = &read["spec"]["names"];
    assert_eq!(names["shortNames"], json!(["phc"]));
    assert_eq!(names["categories"], json!(["ordinary", "all"]));
    let columns: Vec<_> = version["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        columns,
        [
            "Ready",
            "Reason",
            "Project",
            "Last Sync",
            "Next Sync",
            "Events 24h",
            "Age",
            "Message"
        ]
    );
    nullable_nowhere_else(fields, "");
}

/// An API server keeps a null of a nullable field, and rules would then fail on it; nulls of
/// other fields it drops before defaulting.
fn nullable_nowhere_else(schema: &Value, path: &str) {
    let Value::Object(map) = schema else { return };
    if map.get("nullable") == Some(&Value::Bool(true)) {
        assert!(path.ends_with("/orderCompleted"), "{path} is nullable");
    }
    for (key, value) in map {
        nullable_nowhere_else(value, &format!("{path}/{key}"));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9]{0,12}[hms]{1,2}".prop_map(Value::from),
        "https?://[a-z@:/?#.\\[\\]]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(field(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn field() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "host",
        "projectId",
        "apiKeySecretRef",
        "name",
        "key",
        "mapping",
        "productViewed",
        "addedToCart",
        "checkoutStarted",
        "orderCompleted",
        "events",
        "urlPath",
        "refresh",
        "interval",
        "lookback",
        "backfill",
        "days",
        "identity",
        "customerIdProperties",
        "anonymousIdProperties",
        "timeZone",
        "retentionDays",
        "deletionGracePeriod",
        "other",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    /// What the schema refuses and the operator would take could never be configured.
    #[test]
    fn the_schemas_order_rule_refuses_nothing_that_validation_takes(
        words in prop::collection::vec(prop::sample::select(vec![
            "order", "orders", "purchase", "purchased", "checkout", "step", "completed", "placed",
            "paid", "refund", "create", "created", "cancelled", "info", "submitted", "shopify",
            "product", "viewed", "border", "é", "2", "finished",
        ]), 1..5),
        separator in prop::sample::select(vec![" ", "_", "/", "-", ""]),
        dollar in any::<bool>(),
    ) {
        let name = format!("{}{}", if dollar { "$" } else { "" }, words.join(separator));
                if !name.starts_with('$') && ORDER_LIKE.is_match(&name.to_ascii_lowercase()) {
            prop_assert!(domain::recogniser::is_order_like(&name), "{name}");
        }
    }

    #[test]
    fn validation_never_panics_and_accepts_only_what_is_within_bounds(
        fields in prop::collection::btree_map(field(), any_json(), 0..6),
        name in ".{0,8}",
        namespace in ".{0,8}",
    ) {
        let mut spec = json!({
            "host": "https://eu.posthog.com",
            "projectId": 1,
            "apiKeySecretRef": {"name": "posthog"},
        });
        for (field, value) in fields {
            spec[field] = value;
        }
        let connection: Result<PostHogConnection, _> = serde_json::from_value(json!({
            "apiVersion": crate::API_VERSION, "kind": crate::KIND,
            "metadata": {"name": name}, "spec": spec,
        }));
        if let Ok(connection) = connection {
            match validate(&connection, &namespace) {
                Ok(valid) => {
                    prop_assert!(valid.refresh.lookback >= valid.refresh.interval);
                    prop_assert!((1..=365).contains(&valid.backfill.days));
                    prop_assert!(is_dns_label(&valid.name.namespace));
                }
                Err(problems) => prop_assert!(!problems.is_empty()),
            }
        }
    }
}
