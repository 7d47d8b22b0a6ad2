//! Reflection: who knows nothing of the API finds all of it.

use tokio_stream::once;
use tonic_reflection::pb::{v1, v1alpha};

use crate::shop::{self, Server};

const SERVICES: [&str; 8] = [
    "grpc.health.v1.Health",
    "ordinary.posthog.v1.ClickmapService",
    "ordinary.posthog.v1.CohortService",
    "ordinary.posthog.v1.ConnectionService",
    "ordinary.posthog.v1.ErasureService",
    "ordinary.posthog.v1.EventService",
    "ordinary.posthog.v1.IdentityService",
    "ordinary.posthog.v1.TrailService",
];

#[tokio::test]
async fn reflection_lists_every_service() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let server = Server::start(shop::store()).await;
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel);
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client
        .server_reflection_info(once(request))
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list of services");
    };
    for service in SERVICES {
        assert!(
            list.service.iter().any(|it| it.name == service),
            "{service}"
        );
    }
}

#[tokio::test]
async fn reflection_answers_its_older_version_too() {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;
    let server = Server::start(shop::store()).await;
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel);
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(
            "ordinary.posthog.v1.EventService".to_owned(),
        )),
    };
    let mut answers = client
        .server_reflection_info(once(request))
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::FileDescriptorResponse(files)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no descriptor");
    };
    assert!(!files.file_descriptor_proto.is_empty());
}
