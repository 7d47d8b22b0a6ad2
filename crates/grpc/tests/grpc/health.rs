//! Health tells the truth.

use domain::storage::StoreError;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::shop::{self, PATIENCE, Server};

const SERVICES: [&str; 8] = [
    "",
    "ordinary.posthog.v1.ClickmapService",
    "ordinary.posthog.v1.ConnectionService",
    "ordinary.posthog.v1.ErasureService",
    "ordinary.posthog.v1.EventService",
    "ordinary.posthog.v1.IdentityService",
    "ordinary.posthog.v1.CohortService",
    "ordinary.posthog.v1.TrailService",
];

async fn watch(channel: &Channel, service: &str) -> Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let mut client = HealthClient::new(channel.clone());
    client.watch(request).await.unwrap().into_inner()
}

/// Waits until the watched service has this status.
async fn becomes(stream: &mut Streaming<HealthCheckResponse>, wanted: ServingStatus) {
    let reached = async { while stream.message().await.unwrap().unwrap().status() != wanted {} };
    timeout(PATIENCE, reached).await.unwrap();
}

fn down() -> Option<StoreError> {
    Some(StoreError::Unavailable {
        detail: "down".to_owned(),
    })
}

#[tokio::test]
async fn a_server_serves_while_its_store_answers() {
    let store = shop::store();
    store.state().failure = down();
    let server = Server::start(store.clone()).await;
    for service in SERVICES {
        let mut health = watch(&server.channel, service).await;
        becomes(&mut health, ServingStatus::NotServing).await;
    }
    let mut health = watch(&server.channel, "").await;
    store.state().failure = None;
    becomes(&mut health, ServingStatus::Serving).await;
    for service in SERVICES {
        let mut health = watch(&server.channel, service).await;
        becomes(&mut health, ServingStatus::Serving).await;
    }
    store.state().failure = down();
    becomes(&mut health, ServingStatus::NotServing).await;
}

#[tokio::test]
async fn a_server_that_drains_says_so_first_and_watchers_do_not_hold_it_up() {
    let server = Server::start(shop::store()).await;
    let mut health = watch(&server.channel, "").await;
    becomes(&mut health, ServingStatus::Serving).await;
    server.shutdown.cancel();
    becomes(&mut health, ServingStatus::NotServing).await;
    let ended = timeout(PATIENCE, server.serving).await;
    ended
        .expect("before the drain's deadline")
        .unwrap()
        .unwrap();
}
