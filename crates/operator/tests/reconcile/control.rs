//! What a merchant or an administrator changes in YAML, and what follows.

use crd::{
    BACKFILL_COMPLETE, CREDENTIALS_VALID, ConditionStatus, PLAN_ELIGIBLE, READY, SYNCED, reasons,
};
use domain::ConnectionId;
use jiff::Timestamp;
use kube::ResourceExt;
use posthog_stub::{Event, Key, Project};
use serde_json::json;

use crate::harness::{Corner, KEY, PROJECT, condition, message};

#[tokio::test]
async fn a_suspended_connection_pulls_nothing_until_it_is_resumed() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner
        .apply("storefront", corner.spec(json!({"suspend": true})))
        .await;
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::False,
            reasons::SUSPENDED,
        )
        .await;
    assert_eq!(corner.requests(), 0);
    assert!(corner.all_jobs().await.is_empty());
    let record = corner
        .store
        .connection(&corner.name("storefront"))
        .await
        .unwrap();
    assert!(record.unwrap().desired.suspended);

    let _kubelet = corner.kubelet();
    corner
        .patch("storefront", json!({"spec": {"suspend": false}}))
        .await;
    corner
        .condition(
            "storefront",
            SYNCED,
            ConditionStatus::True,
            reasons::UP_TO_DATE,
        )
        .await;
    operator.stop().await;
}

#[tokio::test]
async fn suspending_stops_the_job_that_runs() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    corner.wait_jobs(|jobs| jobs.len() == 1).await;
    corner
        .patch("storefront", json!({"spec": {"suspend": true}}))
        .await;
    corner.wait_jobs(<[_]>::is_empty).await;
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::False,
            reasons::SUSPENDED,
        )
        .await;
    operator.stop().await;
}

#[tokio::test]
async fn a_downgrade_deletes_the_job_and_an_upgrade_goes_on() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    corner.wait_jobs(|jobs| jobs.len() == 1).await;
    corner.plan(Some("free")).await;
    corner.wait_jobs(<[_]>::is_empty).await;
    let connection = corner
        .condition(
            "storefront",
            PLAN_ELIGIBLE,
            ConditionStatus::False,
            reasons::PLAN_TOO_LOW,
        )
        .await;
    assert_eq!(
        condition(&connection, crd::STALLED).unwrap().reason,
        reasons::PLAN_TOO_LOW
    );
    let record = corner
        .store
        .connection(&corner.name("storefront"))
        .await
        .unwrap();
    assert!(!record.unwrap().desired.plan.is_eligible());

    let _kubelet = corner.kubelet();
    corner.plan(Some("growth")).await;
    corner
        .condition(
            "storefront",
            SYNCED,
            ConditionStatus::True,
            reasons::UP_TO_DATE,
        )
        .await;
    operator.stop().await;
}

#[tokio::test]
async fn a_refresh_that_is_asked_for_runs_once() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    let before = corner
        .condition(
            "storefront",
            SYNCED,
            ConditionStatus::True,
            reasons::UP_TO_DATE,
        )
        .await;
    let before = before.status.unwrap().last_sync.unwrap();
    let annotations = json!({(crd::REFRESH_REQUESTED_ANNOTATION): "now, please"});
    corner
        .patch(
            "storefront",
            json!({"metadata": {"annotations": annotations}}),
        )
        .await;
    let connection = corner
        .wait("storefront", |connection| {
            let status = connection.status.as_ref().unwrap();
            status.last_handled_refresh_request.as_deref() == Some("now, please")
                && status
                    .last_sync
                    .as_ref()
                    .is_some_and(|last| last.start_time > before.start_time)
        })
        .await;
    assert_eq!(message(&connection, SYNCED), "The last due run succeeded.");
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    operator.stop().await;

    // Another operator finds it handled.
    let operator = corner.operate();
    corner
        .patch("storefront", json!({"spec": {"retentionDays": 300}}))
        .await;
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::True,
            reasons::AS_DESIRED,
        )
        .await;
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    operator.stop().await;
}

#[tokio::test]
async fn a_changed_mapping_is_in_force_at_once_without_pulling_again() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    corner
        .condition(
            "storefront",
            SYNCED,
            ConditionStatus::True,
            reasons::UP_TO_DATE,
        )
        .await;
    corner.stub.clear_requests();
    let mapping = json!({
        "productViewed": {"events": [{"name": "$pageview"}]},
        "addedToCart": {"events": [{"name": "checkout started"}]},
        "checkoutStarted": {"events": [{"name": "product added to cart"}]},
    });
    corner
        .patch("storefront", json!({"spec": {"mapping": mapping}}))
        .await;
    let connection = corner
        .wait("storefront", |connection| {
            let generation = connection.metadata.generation;
            let stages = &connection.status.as_ref().unwrap().mapping;
            let cart = stages.iter().find(|stage| stage.stage == "addedToCart");
            condition(connection, READY).is_some_and(|ready| {
                ready.status == ConditionStatus::True && ready.observed_generation == generation
            }) && cart.is_some_and(|cart| cart.events[0].name == "checkout started")
        })
        .await;
    let stages = connection.status.unwrap().mapping;
    assert!(
        stages
            .iter()
            .all(|stage| stage.source == crd::StageSource::Override)
    );
    assert_eq!(corner.jobs_of("remap").await.len(), 1);
    assert_eq!(corner.jobs_of("refresh").await.len(), 0);
    // The new generation was checked and the names were asked for; no event was read again.
    let is_read = |name: &str| {
        ["count_cells", "_page"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    let requests = corner.stub.requests();
    let names: Vec<_> = requests.iter().filter_map(|r| r.name.as_deref()).collect();
    assert!(
        !names.is_empty() && !names.iter().any(|name| is_read(name)),
        "{names:?}"
    );
    operator.stop().await;
}

#[tokio::test]
async fn reads_move_to_another_project_once_its_backfill_is_complete() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    let kubelet = corner.kubelet();
    corner.apply("storefront", corner.spec(json!({}))).await;
    corner
        .condition(
            "storefront",
            BACKFILL_COMPLETE,
            ConditionStatus::True,
            reasons::BACKFILL_DONE,
        )
        .await;
    drop(kubelet);
    corner.stub.edit(|world| {
        let mut other = Project::new(777, "Other");
        other.insert(Event::new("$pageview", "somebody", Timestamp::now()));
        world.add_project(other);
    });
    corner
        .patch("storefront", json!({"spec": {"projectId": 777}}))
        .await;
    corner
        .condition(
            "storefront",
            BACKFILL_COMPLETE,
            ConditionStatus::False,
            reasons::BACKFILL_RUNNING,
        )
        .await;
    let record = corner
        .store
        .connection(&corner.name("storefront"))
        .await
        .unwrap()
        .unwrap();
    assert_ne!(record.serving, record.target);

    let _kubelet = corner.kubelet();
    let connection = corner
        .condition(
            "storefront",
            BACKFILL_COMPLETE,
            ConditionStatus::True,
            reasons::BACKFILL_DONE,
        )
        .await;
    assert_eq!(connection.status.unwrap().project.unwrap().name, "Other");
    let record = corner
        .store
        .connection(&corner.name("storefront"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        record.serving,
        ConnectionId::of(&record.desired.name, &record.desired.epoch)
    );
    operator.stop().await;
}

#[tokio::test]
async fn a_rotated_key_is_noticed_while_the_old_one_is_bad() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    corner.stub.edit(|world| world.revoke_key(KEY));
    let operator = corner.operate();
    corner.apply("storefront", corner.spec(json!({}))).await;
    let connection = corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::False,
            reasons::INVALID_API_KEY,
        )
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

    let other = "phx_abcdefghijklmnopqrstuvwxyzABCD0123456789";
    corner
        .stub
        .edit(|world| *world = std::mem::take(world).with_key(Key::new(other)));
    corner.secret("posthog", json!({"apiKey": other})).await;
    let connection = corner
        .condition(
            "storefront",
            SYNCED,
            ConditionStatus::True,
            reasons::UP_TO_DATE,
        )
        .await;
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
    let connection = corner.apply("storefront", corner.spec(json!({}))).await;
    let found = corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::False,
            reasons::SECRET_NOT_FOUND,
        )
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
    corner.secret("posthog", json!({"wrong": KEY})).await;
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::False,
            reasons::SECRET_KEY_NOT_FOUND,
        )
        .await;
    corner
        .secret("posthog", json!({"apiKey": "phc_project"}))
        .await;
    corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::False,
            reasons::WRONG_KIND_OF_KEY,
        )
        .await;
    assert_eq!(corner.requests(), 0);
    corner
        .secret("posthog", json!({"apiKey": format!("{KEY}\n")}))
        .await;
    let found = corner
        .condition(
            "storefront",
            READY,
            ConditionStatus::True,
            reasons::AS_DESIRED,
        )
        .await;
    assert!(
        message(&found, CREDENTIALS_VALID).contains("line break"),
        "{}",
        message(&found, CREDENTIALS_VALID)
    );
    assert_eq!(found.uid(), connection.uid());
    operator.stop().await;
}
