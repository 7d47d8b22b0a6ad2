//! Files that cannot be used as they are written.

use super::{check, check_yaml};
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::shop;

/// `check` of a sound connection with one more line in its spec; nothing may be asked of PostHog.
async fn check_spec(line: &str) -> crate::support::program::Ended {
    let stub = shop::small_shop().await;
    let ended = check(&Document::of(&stub).spec(line)).await;
    assert!(stub.requests().is_empty(), "{ended}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_there_is_named() {
    let home = Home::new();
    let program = home
        .program(&["check"])
        .documents("no-such-file.yaml".as_ref());
    program
        .run()
        .await
        .with_code(10)
        .says(&["no-such-file.yaml"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_yaml_is_told_with_its_line() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: posthog\nstringData: {apiKey: phx_SeCrEtPaRt}\n";
    check_yaml(text).await.with_code(10).says(&[
        "connection.yaml:",
        "is not YAML",
        "check indentation",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_a_connection_is_told() {
    check_yaml("")
        .await
        .with_code(10)
        .says(&["there is no PostHogConnection", "examples/connection.yaml"]);
    let ended = check_yaml("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n").await;
    ended
        .with_code(10)
        .says(&["kind", "Deployment", "PostHogConnection"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_field_is_told_with_the_one_probably_meant() {
    let stub = shop::small_shop().await;
    let yaml = Document::of(&stub).yaml();
    for (from, to, path, fix) in [
        (
            "projectId:",
            "project_id:",
            "spec.project_id",
            "did you mean projectId?",
        ),
        ("host:", "hots:", "spec.hots", "did you mean host?"),
        (
            "apiKeySecretRef: {name: storefront-key, key: apiKey}",
            "apiKey: phx_SeCrEtPaRt",
            "spec.apiKey",
            "into a Secret",
        ),
        (
            "kind: PostHogConnection",
            "kind: PosthogConection",
            "kind",
            "did you mean PostHogConnection?",
        ),
    ] {
        let ended = check_yaml(&yaml.replacen(from, to, 1)).await;
        ended.with_code(10).says(&["connection.yaml:", path, fix]);
    }
    check_spec("refresh: {intervall: 1h}")
        .await
        .with_code(10)
        .says(&["spec.refresh.intervall", "did you mean interval?"]);
    check_spec("backfil: {days: 30}")
        .await
        .with_code(10)
        .says(&["spec.backfil", "did you mean backfill?"]);
    check_spec("webhooks: []")
        .await
        .with_code(10)
        .says(&["spec.webhooks", "is not a field: remove it"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_completed_cannot_be_mapped() {
    for mapping in [
        "{orderCompleted: {events: [{name: order completed}]}}",
        "{orderCompleted: null}",
    ] {
        let ended = check_spec(&format!("mapping: {mapping}")).await;
        ended.with_code(10).says(&[
            "spec.mapping.orderCompleted",
            "orders/create",
            "remove mapping.orderCompleted",
        ]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_means_an_order_cannot_be_mapped_to_any_stage() {
    for stage in ["productViewed", "addedToCart", "checkoutStarted"] {
        for name in ["Order Completed", "checkout_completed", "purchase"] {
            let ended = check_spec(&format!(
                "mapping: {{{stage}: {{events: [{{name: {name}}}]}}}}"
            ))
            .await;
            ended.with_code(10).says(&[
                &format!("spec.mapping.{stage}.events[0].name"),
                name,
                "orders/create",
            ]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stages_cannot_claim_one_event() {
    let ended = check_spec("mapping: {productViewed: {events: [{name: viewed}]}, addedToCart: {events: [{name: viewed}]}}").await;
    ended.with_code(10).says(&[
        "spec.mapping.addedToCart.events[0].name",
        "\"viewed\"",
        "mapping.productViewed",
        "one event belongs to one stage, remove it from one of them",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_out_of_bounds_are_told_with_the_bounds() {
    for (line, path, fix) in [
        ("backfill: {days: 0}", "spec.backfill.days", "1 to 365"),
        ("backfill: {days: 366}", "spec.backfill.days", "1 to 365"),
        (
            "backfill: {via: Fax}",
            "spec.backfill.via",
            "must be one of",
        ),
        (
            "refresh: {interval: 2h, lookback: 1h}",
            "spec.refresh",
            "lookback",
        ),
        (
            "refresh: {interval: 1m, lookback: 6h}",
            "spec.refresh.interval",
            "5m",
        ),
        (
            "refresh: {interval: 90, lookback: 6h}",
            "spec.refresh.interval",
            "write its unit too",
        ),
        ("timeZone: Berlin", "spec.timeZone", "Europe/Berlin"),
        ("suspend: maybe", "spec.suspend", "must be true or false"),
        (
            "mapping: {addedToCart: {events: []}}",
            "spec.mapping.addedToCart.events",
            "1 to 32",
        ),
    ] {
        check_spec(line)
            .await
            .with_code(10)
            .says(&["connection.yaml:", path, fix]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_problems_of_all_files_are_told_at_once() {
    let home = Home::new();
    let one = home.write(
        "one.yaml",
        Document::at("eu.posthog.com")
            .name("one")
            .spec("backfil: {}")
            .yaml(),
    );
    let two = home.write(
        "two.yaml",
        Document::at("https://eu.posthog.com")
            .name("two")
            .project("x")
            .yaml(),
    );
    let ended = home
        .program(&["check"])
        .documents(&one)
        .documents(&two)
        .run()
        .await;
    ended.with_code(10).says(&[
        "one.yaml:",
        "spec.host",
        "spec.backfil",
        "two.yaml:",
        "spec.projectId",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_written_twice_is_told() {
    let stub = shop::small_shop().await;
    let again = Document::of(&stub).without_secret();
    let yaml = format!("{}\n---\n{}", Document::of(&stub).yaml(), again.yaml());
    check_yaml(&yaml)
        .await
        .with_code(10)
        .says(&["PostHogConnection default/storefront is already in"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_nowhere_is_told_with_the_places_for_it() {
    let stub = shop::small_shop().await;
    let ended = check(&Document::of(&stub).without_secret()).await;
    ended.with_code(10).says(&[
        "spec.apiKeySecretRef",
        "storefront-key",
        "ORDINARY_POSTHOG_API_KEY",
    ]);
}
