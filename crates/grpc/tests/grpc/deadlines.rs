//! Deadlines: DEADLINE_EXCEEDED, never CANCELLED.

use std::time::Duration;

use grpc::Settings;
use grpc::proto::v1;
use tonic::{Code, Request};

use crate::shop::{self, SHOP, Server, reason, shop_events};

/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// The status code of an empty ListEvents with this `grpc-timeout`. Spoken without tonic's client,
/// which would end the call itself at the same moment.
async fn status_within(server: &Server, grpc_timeout: &str) -> Code {
    let tcp = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    let driver = tokio::spawn(connection);
    let request =
        http::Request::post("http://localhost/ordinary.posthog.v1.EventService/ListEvents")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", grpc_timeout)
            .body(())
            .unwrap();
    let (answer, mut body) = client.send_request(request, false).unwrap();
    // One uncompressed message: the shop's name in field 1.
    let mut message = vec![0, 0, 0, 0, 0, 0x0a, u8::try_from(SHOP.len()).unwrap()];
    message[4] = u8::try_from(SHOP.len() + 2).unwrap();
    message.extend_from_slice(SHOP.as_bytes());
    body.send_data(message.into(), true).unwrap();
    let answer = answer.await.unwrap();
    driver.abort();
    Code::from_bytes(answer.headers()["grpc-status"].as_bytes())
}

#[tokio::test]
async fn a_call_slower_than_its_caller_allows_exceeds_its_deadline() {
    let store = shop::store();
    let server = Server::start(store.clone()).await;
    store.state().delay = FOR_EVER;
    for timeout in ["1n", "9m", "60m", "0S"] {
        assert_eq!(
            status_within(&server, timeout).await,
            Code::DeadlineExceeded,
            "{timeout}"
        );
    }
}

#[tokio::test]
async fn a_call_without_a_deadline_has_the_servers() {
    let store = shop::store();
    let settings = Settings {
        deadline: Duration::from_millis(60),
        ..shop::settings()
    };
    let server = Server::with(store.clone(), settings, None).await;
    store.state().delay = FOR_EVER;
    let refused = server.list(shop_events()).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded);
    assert_eq!(reason(&refused), "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_stream_outlives_the_servers_deadline_and_ends_by_its_own() {
    // Long enough for the stream to begin on a busy machine.
    let settings = Settings {
        deadline: Duration::from_secs(2),
        heartbeat_interval: Duration::from_millis(20),
        ..shop::settings()
    };
    let server = Server::with(shop::store(), settings, None).await;
    let mut request = Request::new(v1::StreamEventsRequest {
        parent: SHOP.to_owned(),
        ..Default::default()
    });
    request
        .metadata_mut()
        .insert("grpc-timeout", "5S".parse().unwrap());
    let began = std::time::Instant::now();
    let mut stream = server
        .events()
        .stream_events(request)
        .await
        .unwrap()
        .into_inner();
    let ended = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some()),
            Err(status) => break status,
        }
    };
    assert!(began.elapsed() >= Duration::from_secs(4));
    assert_eq!(ended.code(), Code::DeadlineExceeded);
    assert_eq!(reason(&ended), "DEADLINE_EXCEEDED");
}
