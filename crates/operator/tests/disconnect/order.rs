//! What happens when a connection is deleted, in which order, and that nothing holds it up.

use kube::ResourceExt;
use operator::Intervals;
use serde_json::json;
use test_kubernetes::Death;
use test_postgres::Server as Postgres;

use crate::support::{Connection, PATIENCE, Site, eventually};

#[tokio::test]
async fn nothing_is_made_outside_before_the_finalizer_stands() {
    let site = Site::new().await;
    let (client, mortal) = site.server.mortal().unwrap();
    mortal.dies(Death::Before(1));
    let operator = site.start_as(client);
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    mortal.died().await;
    operator.kill().await;
    let name = connection.full_name();
    assert_eq!(site.store.connection(&name).await.unwrap(), None);

    let operator = site.start();
    let connection = connection.settled().await;
    let found = connection.found().await.unwrap();
    assert_eq!(found.finalizers(), [operator::FINALIZER]);
    connection.disconnect().await;
    operator.stop().await;
}

#[tokio::test]
async fn a_deleted_connection_leaves_nothing_behind_but_its_rows() {
    let site = Site::new().await;
    site.secret("posthog", json!({})).await;
    let operator = site.start();
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;
    let run = connection.run().await;

    connection.disconnect().await;
    // Not "some time later": all of this stands before the finalizer goes.
    assert!(!connection.is_read().await, "it is still read");
    let job = site.jobs().get_opt(&run).await.unwrap();
    assert!(job.is_none_or(|job| job.metadata.deletion_timestamp.is_some()));
    assert!(site.own_secrets().get_opt(&run).await.unwrap().is_none());
    assert_eq!(site.entries("posthog").await, None);
    let record = site
        .store
        .connection(&connection.full_name())
        .await
        .unwrap();
    let rows = site.store.epoch(record.unwrap().target).await.unwrap();
    assert!(rows.is_some(), "its rows are gone as well");
    assert_eq!(
        connection.surely_told("KeyForgotten").await,
        ["Disconnected: Secret posthog, which held nothing but the API key, was deleted."]
    );
    operator.stop().await;
}

#[tokio::test]
async fn other_connections_runs_go_on() {
    let site = Site::new().await;
    let operator = site.start();
    let going = Connection::create(&site, "going", "posthog", json!({})).await;
    let staying = Connection::create(&site, "staying", "posthog", json!({})).await;
    let (going, staying) = (going.settled().await, staying.settled().await);
    going.run().await;
    let run = staying.run().await;

    going.disconnect().await;
    assert!(site.jobs().get_opt(&run).await.unwrap().is_some());
    assert!(site.own_secrets().get_opt(&run).await.unwrap().is_some());
    assert!(staying.is_read().await);
    staying.disconnect().await;
    operator.stop().await;
}

#[tokio::test]
async fn a_database_that_is_gone_holds_nothing_up_and_reads_stop_when_it_is_back() {
    let postgres = Postgres::start(&[]).unwrap();
    postgres.create_database("gone", "template1").unwrap();
    let options = store::OpenOptions::default();
    let store = store::open(&postgres.url("gone"), options).await.unwrap();
    let mut site = Site::with_store(store, tempfile::tempdir().unwrap()).await;
    site.config.intervals.store_patience = Intervals::default().store_patience;
    site.secret("posthog", json!({})).await;
    let operator = site.start();
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;

    postgres.stop();
    connection.disconnect().await;
    assert_eq!(site.entries("posthog").await, None);
    postgres.resume().unwrap();
    eventually("reads have stopped", async || {
        let record = site.store.connection(&connection.full_name()).await;
        record.is_ok_and(|record| record.unwrap().deleted_at.is_some())
    })
    .await;
    operator.stop().await;
}

#[tokio::test]
async fn a_connection_deleted_while_the_operator_was_down_goes_when_it_is_back() {
    let site = Site::new().await;
    site.secret("posthog", json!({})).await;
    let operator = site.start();
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;
    operator.stop().await;

    connection.delete().await;
    assert!(connection.found().await.is_some(), "nobody kept it");
    let operator = site.start();
    connection.gone().await;
    assert!(!connection.is_read().await);
    assert_eq!(site.entries("posthog").await, None);
    operator.stop().await;
}

#[tokio::test]
async fn a_terminating_namespace_goes_with_its_connections() {
    use k8s_openapi::api::core::v1::Namespace;
    use kube::Api;
    use kube::api::DeleteParams;

    let site = Site::new().await;
    site.secret("posthog", json!({})).await;
    let operator = site.start();
    let connection = Connection::create(&site, "storefront", "posthog", json!({})).await;
    let connection = connection.settled().await;

    let namespaces: Api<Namespace> = Api::all(site.client.clone());
    let all = DeleteParams::default();
    namespaces.delete(&site.workspace, &all).await.unwrap();
    eventually("the namespace is gone", async || {
        let found = namespaces.get_opt(&site.workspace).await.unwrap();
        found.is_none()
    })
    .await;
    assert!(!connection.is_read().await);
    operator.stop().await;
}

#[tokio::test]
async fn an_operator_told_to_stop_at_any_moment_of_its_start_ends() {
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    let site = Site::new().await;
    for moment in (0..200).step_by(10) {
        let operator = site.start();
        sleep(Duration::from_millis(moment)).await;
        let ended = timeout(PATIENCE, operator.stop()).await;
        assert!(
            ended.is_ok(),
            "told {moment} ms after its start, it goes on"
        );
    }
}
