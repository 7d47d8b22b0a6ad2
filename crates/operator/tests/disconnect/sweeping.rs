//! What became of connections while nobody looked, and of their rows in the end.

use std::time::Duration;

use domain::storage::{Deletion, EventDefinition, Purge};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::{Connection, Site, eventually, eventually_some};

/// A connection that has been pulled: what it has stored is known again.
async fn connected<'a>(site: &'a Site, spec: Value) -> Connection<'a> {
    let connection = Connection::create(site, "storefront", "posthog", spec).await;
    let connection = connection.settled().await;
    let store = &site.store;
    let name = connection.full_name();
    let epoch = store.connection(&name).await.unwrap().unwrap().target;
    let minute = Duration::from_secs(60);
    let lease = store.acquire_lease(epoch, "test", minute).await.unwrap();
    let stored = EventDefinition {
        name: "$pageview".into(),
        created_at: None,
        last_seen_at: None,
    };
    store
        .put_event_definitions(&lease, &[stored])
        .await
        .unwrap();
    store.release_lease(&lease).await.unwrap();
    connection
}

/// Whether what was stored of the connection's life is there, whoever asks.
async fn has_rows(connection: &Connection<'_>) -> bool {
    let store = &connection.site.store;
    let record = store.connection(&connection.full_name()).await.unwrap();
    let Some(record) = record else { return false };
    let stored = store
        .event_definitions(record.target, None, 10)
        .await
        .unwrap();
    !stored.is_empty()
}

async fn purge_jobs(site: &Site) -> Vec<Job> {
    let purges = ListParams::default().labels("posthog.ordinary.dev/kind=purge");
    site.jobs().list(&purges).await.unwrap().items
}

/// Returns once the operator has compared the store with the cluster once more, from begin to end: a
/// connection that only the store has is noticed by one comparison, the second one by the next.
async fn swept(connection: &Connection<'_>) {
    let store = &connection.site.store;
    let record = store.connection(&connection.full_name()).await.unwrap();
    for name in ["first-bystander", "second-bystander"] {
        let mut bystander = record.as_ref().unwrap().desired.clone();
        bystander.name.name = name.to_owned();
        bystander.deletion = Deletion::Retain;
        store
            .put_connection(&bystander, Timestamp::now())
            .await
            .unwrap();
        eventually("a sweep", async || {
            let record = store.connection(&bystander.name).await.unwrap();
            record.unwrap().deleted_at.is_some()
        })
        .await;
    }
}

#[tokio::test]
async fn a_connection_that_went_unseen_is_disconnected_by_the_sweeper() {
    let site = Site::new().await;
    let operator = site.start();
    let connection = connected(&site, json!({})).await;
    operator.stop().await;
    connection.vanish().await;
    assert!(connection.is_read().await);
    let operator = site.start();
    eventually("reads have stopped", async || !connection.is_read().await).await;
    operator.stop().await;
}

#[tokio::test]
async fn a_connection_recreated_within_the_grace_period_has_its_rows_again() {
    let site = Site::new().await;
    let operator = site.start();
    let connection = connected(&site, json!({"deletionGracePeriod": "1h"})).await;
    connection.disconnect().await;
    swept(&connection).await;
    assert!(purge_jobs(&site).await.is_empty());

    let again = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let again = again.settled().await;
    assert!(has_rows(&again).await);
    let later = Timestamp::now() + SignedDuration::from_hours(2);
    let due = site.store.purges_due(later, None, 10).await.unwrap();
    assert!(!due.contains(&again.full_name()), "{due:?}");
    again.disconnect().await;
    operator.stop().await;
}

#[tokio::test]
async fn a_connection_recreated_after_the_grace_period_begins_anew() {
    let site = Site::new().await;
    let operator = site.start();
    let connection = connected(&site, json!({"deletionGracePeriod": "0s"})).await;
    connection.disconnect().await;
    let job = eventually_some("a purge Job", async || purge_jobs(&site).await.pop()).await;
    let name = connection.full_name();
    let pod = job.spec.unwrap().template.spec.unwrap();
    assert_eq!(
        pod.containers[0].args.as_ref().unwrap(),
        &["purge".to_owned(), format!("--connection={name}")]
    );
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert!(pod.volumes.is_none(), "a purge needs no key");

    // No node runs the Job here; this is what its program does.
    let purged = site
        .store
        .purge_connection(&name, Timestamp::now())
        .await
        .unwrap();
    assert!(matches!(purged, Purge::Done { .. }), "{purged:?}");
    let again = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let again = again.settled().await;
    assert!(!has_rows(&again).await);
    again.disconnect().await;
    operator.stop().await;
}

#[tokio::test]
async fn one_purge_job_is_made_however_often_it_is_due() {
    let site = Site::new().await;
    let operator = site.start();
    let connection = connected(&site, json!({"deletionGracePeriod": "0s"})).await;
    connection.disconnect().await;
    eventually_some("a purge Job", async || purge_jobs(&site).await.pop()).await;
    operator.stop().await;
    let operator = site.start();
    swept(&connection).await;
    let of_ours = |job: &Job| {
        job.metadata
            .name
            .as_ref()
            .unwrap()
            .starts_with("storefront-")
    };
    let made = purge_jobs(&site).await.into_iter().filter(of_ours).count();
    assert_eq!(made, 1);
    operator.stop().await;
}

#[tokio::test]
async fn retained_rows_are_never_purged() {
    let site = Site::new().await;
    let operator = site.start();
    let retain = json!({"deletionPolicy": "Retain", "deletionGracePeriod": "0s"});
    let connection = connected(&site, retain).await;
    connection.disconnect().await;
    swept(&connection).await;
    let purges = purge_jobs(&site).await;
    assert!(purges.is_empty(), "{purges:?}");
    let name = connection.full_name();
    let late = Timestamp::now() + SignedDuration::from_hours(24 * 365 * 100);
    let due = site.store.purges_due(late, None, 10).await.unwrap();
    assert!(!due.contains(&name), "{due:?}");
    assert!(has_rows(&connection).await);
    operator.stop().await;
}

#[tokio::test]
async fn what_was_last_said_of_the_rows_counts_also_when_nobody_had_seen_it() {
    let site = Site::new().await;
    let operator = site.start();
    let connection = connected(&site, json!({"deletionGracePeriod": "0s"})).await;
    operator.stop().await;
    let retain = json!([{"op": "replace", "path": "/spec/deletionPolicy", "value": "Retain"}]);
    connection.patch(retain).await;
    connection.delete().await;
    let operator = site.start();
    connection.gone().await;
    swept(&connection).await;
    let name = connection.full_name();
    let due = site
        .store
        .purges_due(Timestamp::now(), None, 10)
        .await
        .unwrap();
    assert!(!due.contains(&name), "{due:?}");
    assert!(has_rows(&connection).await);
    operator.stop().await;
}
