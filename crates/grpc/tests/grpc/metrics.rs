//! Metrics: every call is counted once, by what ended it.

use std::time::Duration;

use grpc::GrpcMetrics;
use grpc::proto::v1;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use crate::shop::{self, PATIENCE, SHOP, Server, shop_events};

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    text
}

/// Waits for a line: a call is counted when its last frame is sent, which its caller may see first.
async fn comes(registry: &Registry, line: &str) {
    let counted = timeout(PATIENCE, async {
        while !text(registry).lines().any(|it| it == line) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    if counted.await.is_err() {
        panic!("{line} is not in\n{}", text(registry));
    }
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let mut registry = Registry::default();
    let metrics = GrpcMetrics::register(&mut registry);
    let server = Server::with(shop::store(), shop::settings(), Some(metrics)).await;
    server.list(shop_events()).await.unwrap();
    server
        .list(v1::ListEventsRequest::default())
        .await
        .unwrap_err();
    let labels = r#"grpc_type="unary",grpc_service="ordinary.posthog.v1.EventService",grpc_method="ListEvents""#;
    comes(
        &registry,
        &format!("grpc_server_started_total{{{labels}}} 2"),
    )
    .await;
    comes(
        &registry,
        &format!(r#"grpc_server_handled_total{{{labels},grpc_code="OK"}} 1"#),
    )
    .await;
    comes(
        &registry,
        &format!(r#"grpc_server_handled_total{{{labels},grpc_code="InvalidArgument"}} 1"#),
    )
    .await;
    comes(
        &registry,
        &format!("grpc_server_handling_seconds_count{{{labels}}} 2"),
    )
    .await;
}

#[tokio::test]
async fn a_stream_that_its_caller_gives_up_is_counted_as_canceled() {
    let mut registry = Registry::default();
    let metrics = GrpcMetrics::register(&mut registry);
    let server = Server::with(shop::store(), shop::settings(), Some(metrics)).await;
    let request = v1::StreamEventsRequest {
        parent: SHOP.to_owned(),
        ..Default::default()
    };
    let mut stream = server
        .events()
        .stream_events(request)
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap();
    drop(stream);
    let labels = r#"grpc_type="server_stream",grpc_service="ordinary.posthog.v1.EventService",grpc_method="StreamEvents""#;
    comes(
        &registry,
        &format!(r#"grpc_server_handled_total{{{labels},grpc_code="Canceled"}} 1"#),
    )
    .await;
}

#[tokio::test]
async fn every_method_has_its_series_before_the_first_call() {
    let mut registry = Registry::default();
    drop(GrpcMetrics::register(&mut registry));
    let text = text(&registry);
    for method in ["GetConnection", "GetFunnel", "ResolveIdentities", "Check"] {
        let series = text.lines().find(|line| {
            line.starts_with("grpc_server_started_total") && line.contains(&format!("\"{method}\""))
        });
        assert!(series.is_some_and(|line| line.ends_with(" 0")), "{method}");
    }
}
