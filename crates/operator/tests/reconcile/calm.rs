//! What cannot be used makes no hot loop.

use std::time::Duration;

use crd::{PostHogConnection, reasons};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Corner, KEY, eventually};

/// Connections that cannot be used, each for another reason.
fn unusable() -> [(&'static str, Value, &'static str); 5] {
    let secret = |name: &str| json!({"apiKeySecretRef": {"name": name}});
    [
        ("no-secret", secret("nowhere"), reasons::SECRET_NOT_FOUND),
        ("no-entry", secret("empty"), reasons::SECRET_KEY_NOT_FOUND),
        (
            "wrong-key",
            secret("project-key"),
            reasons::WRONG_KIND_OF_KEY,
        ),
        (
            "refused-host",
            json!({"host": "https://169.254.169.254"}),
            reasons::HOST_REFUSED,
        ),
        (
            "no-project",
            json!({"projectId": 1}),
            reasons::PROJECT_NOT_FOUND,
        ),
    ]
}

async fn refused(corner: &Corner) -> Vec<PostHogConnection> {
    let mut told = Vec::new();
    for (name, _, reason) in unusable() {
        told.push(corner.not_ready(name, reason).await);
    }
    told
}

#[tokio::test]
async fn what_cannot_be_used_is_left_alone_until_its_time_comes() {
    let mut corner = Corner::open().await;
    // So that none of their looks at Secrets, nor what is tried again later, falls into the time that is watched.
    corner.config.intervals.secret_poll = Duration::from_secs(3600);
    corner.clock.stop();
    corner.secret("empty", json!({"other": KEY})).await;
    corner
        .secret("project-key", json!({"apiKey": "phc_0123456789"}))
        .await;
    for (name, spec, _) in unusable() {
        corner.apply(name, corner.spec(spec)).await;
    }
    let operator = corner.operate();
    let before = refused(&corner).await;
    let asked = corner.requests();
    operator.is_calm().await;
    assert_eq!(
        refused(&corner).await,
        before,
        "no status was written again"
    );
    assert_eq!(corner.requests(), asked, "PostHog was not asked again");
    assert!(corner.all_jobs().await.is_empty());
    operator.stop().await;
}

#[tokio::test]
async fn a_workspace_whose_plan_is_unknown_is_left_alone() {
    let corner = Corner::on_plan(Some("platinum")).await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.not_ready("storefront", reasons::PLAN_UNKNOWN).await;
    operator.is_calm().await;
    assert_eq!(corner.requests(), 0);
    operator.stop().await;
}

#[tokio::test]
async fn a_secret_that_is_missing_is_looked_for_no_more_often_than_promised() {
    let corner = Corner::open().await;
    corner.delete_secret("posthog").await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner
        .not_ready("storefront", reasons::SECRET_NOT_FOUND)
        .await;
    let (began, before) = (Instant::now(), operator.reconciliations());
    eventually("it has looked 4 times", async || {
        (operator.reconciliations() >= before + 4.0).then_some(())
    })
    .await;
    // Tests look twice a second, but no pause is shorter than a second. There are three between four looks,
    // the first of which may have been for the status just written.
    assert!(began.elapsed() >= Duration::from_secs(2));
    operator.stop().await;
}
