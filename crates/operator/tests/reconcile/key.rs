//! The API key and the Secret that holds it.

use crd::{CREDENTIALS_VALID, ConditionStatus, READY, reasons};
use kube::ResourceExt;
use posthog_stub::Key;
use serde_json::json;

use crate::harness::{Corner, KEY, PROJECT, condition, message};

#[tokio::test]
async fn a_rotated_key_is_noticed_while_the_old_one_is_bad() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    corner.stub.edit(|world| world.revoke_key(KEY));
    // What is tried again later is not what is seen here.
    corner.clock.stop();
    let operator = corner.operate();
    corner.connect("storefront").await;
    let connection = corner
        .not_ready("storefront", reasons::INVALID_API_KEY)
        .await;
    assert!(message(&connection, READY).starts_with("Invalid API key"));
    let asked = corner.requests();
    // Three looks at the Secret, and not one question to PostHog.
    tokio::time::sleep(corner.config.intervals.secret_poll * 3).await;
    assert_eq!(corner.requests(), asked);
    assert!(corner.all_jobs().await.is_empty());
    let status = corner
        .connections()
        .get("storefront")
        .await
        .unwrap()
        .status
        .unwrap();
    assert_eq!(status.consecutive_failures, 1);

    corner.clock.go_on();
    let other = "phx_abcdefghijklmnopqrstuvwxyzABCD0123456789";
    corner
        .stub
        .edit(|world| *world = std::mem::take(world).with_key(Key::new(other)));
    corner.secret("posthog", json!({"apiKey": other})).await;
    let connection = corner.synced("storefront").await;
    assert_eq!(connection.status.as_ref().unwrap().consecutive_failures, 0);
    assert!(condition(&connection, CREDENTIALS_VALID).unwrap().status == ConditionStatus::True);
    assert_eq!(
        connection.status.unwrap().project.unwrap().id,
        i64::try_from(PROJECT).unwrap()
    );
    operator.stop().await;
}

#[tokio::test]
async fn a_missing_secret_is_named_and_found_when_it_comes() {
    let corner = Corner::open().await;
    corner.delete_secret("posthog").await;
    let operator = corner.operate();
    let connection = corner.connect("storefront").await;
    let found = corner
        .not_ready("storefront", reasons::SECRET_NOT_FOUND)
        .await;
    assert_eq!(
        message(&found, READY),
        format!(
            "The Secret posthog is not in the namespace {}: create it there with the API key under apiKey",
            corner.tenant
        )
    );
    assert_eq!(
        condition(&found, crd::STALLED).unwrap().status,
        ConditionStatus::True
    );
    // Nothing is read before there is a key, however long that has been due.
    assert_eq!(found.status.unwrap().next_sync_time, None);
    corner.secret("posthog", json!({"wrong": KEY})).await;
    corner
        .not_ready("storefront", reasons::SECRET_KEY_NOT_FOUND)
        .await;
    corner
        .secret("posthog", json!({"apiKey": "phc_project"}))
        .await;
    corner
        .not_ready("storefront", reasons::WRONG_KIND_OF_KEY)
        .await;
    assert_eq!(corner.requests(), 0);
    corner
        .secret("posthog", json!({"apiKey": format!("{KEY}\n")}))
        .await;
    let found = corner.ready("storefront").await;
    assert!(
        message(&found, CREDENTIALS_VALID).contains("line break"),
        "{}",
        message(&found, CREDENTIALS_VALID)
    );
    assert_eq!(found.uid(), connection.uid());
    operator.stop().await;
}
