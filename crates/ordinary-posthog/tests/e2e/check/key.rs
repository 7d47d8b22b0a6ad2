//! Keys that cannot be used.
//!
//! That a key of the other Cloud region is recognised is tested in the `posthog` crate: only
//! PostHog's own hosts have another region, and no test may ask those.

use posthog_stub::{Key, Stub, World};

use super::check;
use crate::support::documents::{Document, KEY};
use crate::support::shop;

/// `check` with this YAML scalar in the Secret.
async fn check_key(scalar: &str) -> crate::support::program::Ended {
    let stub = shop::small_shop().await;
    let ended = check(&Document::of(&stub).key(scalar)).await;
    assert!(
        stub.requests().is_empty() || ended.code != Some(12),
        "a wrong kind of key was sent"
    );
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_token_is_told_apart() {
    let ended = check_key("phc_SeCrEtPaRt0123456789abcdef").await;
    ended.with_code(12).says(&[
        "apiKey",
        "project token (phc_…)",
        "create a personal API key (phx_…)",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_secret_key_is_told_apart() {
    let ended = check_key("phs_SeCrEtPaRt0123456789abcdef").await;
    ended.with_code(12).says(&[
        "apiKey",
        "project secret API key (phs_…)",
        "create a personal API key",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oauth_token_is_told_apart() {
    let ended = check_key("pha_SeCrEtPaRt0123456789abcdef").await;
    ended
        .with_code(12)
        .says(&["apiKey", "OAuth token", "create a personal API key"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_key_is_told() {
    for scalar in ["\"\"", "\"  \"", "\"\\n\""] {
        let ended = check_key(scalar).await;
        ended
            .with_code(12)
            .says(&["apiKey", "the API key is empty", "phx_…"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_space_or_line_break_within_the_key_is_told() {
    for scalar in [
        "\"phx_SeCrEtPaRt 0123\"",
        "\"phx_SeCrEtPaRt\\n0123\"",
        "\"phx_SeCrEtPaRt\\t0123\"",
    ] {
        let ended = check_key(scalar).await;
        ended.with_code(12).says(&[
            "apiKey",
            "contains a space or a line break",
            "copy it again",
        ]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_other_text_is_told() {
    let ended = check_key("SeCrEtPaRt").await;
    ended.with_code(12).says(&[
        "apiKey",
        "does not look like a PostHog personal API key",
        "phx_",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_break_after_the_key_is_left_out_and_noted() {
    let ended = check_key(&format!("\"{KEY}\\n\"")).await;
    ended.with_code(0).says(&[
        "works",
        "apiKey",
        "line break around the API key was left out",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_posthog_does_not_know_is_told_with_the_host() {
    let ended = check_key("phx_SeCrEtPaRt_of_nobody").await;
    ended.with_code(11).says(&[
        "Invalid API key",
        "http://127.0.0.1",
        "create a new personal API key",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_told() {
    let stub = shop::small_shop().await;
    stub.edit(|world| assert!(world.revoke_key(KEY)));
    let ended = check(&Document::of(&stub)).await;
    ended.with_code(11).says(&[
        "Invalid API key",
        stub.url(),
        "create a new personal API key",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_missing_scope_is_named() {
    for (scopes, missing) in [
        (vec!["project:read"], vec!["query:read"]),
        (vec!["query:read"], vec!["project:read"]),
        (vec!["insight:read"], vec!["query:read", "project:read"]),
        (vec![], vec!["query:read", "project:read"]),
    ] {
        let key = Key::new(KEY).scopes(scopes);
        let world = World::new()
            .with_project(shop::small_project())
            .with_key(key);
        let stub = Stub::start(world).await.unwrap();
        let ended = check(&Document::of(&stub)).await;
        ended
            .with_code(13)
            .says(&missing)
            .says(&["lacks the scope", "add"]);
    }
}
