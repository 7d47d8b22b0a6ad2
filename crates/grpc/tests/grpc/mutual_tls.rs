//! Mutual TLS: callers whom the authority signed are answered, and nobody else.

use grpc::MutualTls;
use grpc::proto::v1;
use grpc::proto::v1::connection_service_client::ConnectionServiceClient;
use std::net::SocketAddr;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::shop::{self, SHOP};

const AUTHORITY: &str = include_str!("certificates/authority.pem");

async fn ask(address: SocketAddr, identity: Option<Identity>) -> Result<String, String> {
    let mut tls = ClientTlsConfig::new()
        .domain_name("localhost")
        .ca_certificate(Certificate::from_pem(AUTHORITY));
    if let Some(identity) = identity {
        tls = tls.identity(identity);
    }
    let channel = Endpoint::from_shared(format!("https://{address}"))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .map_err(|error| error.to_string())?;
    let request = v1::GetConnectionRequest {
        name: SHOP.to_owned(),
    };
    let answer = ConnectionServiceClient::new(channel)
        .get_connection(request)
        .await;
    let answer = answer.map_err(|status| status.to_string())?;
    Ok(answer.into_inner().connection.unwrap().name)
}

#[tokio::test]
async fn only_callers_whom_the_authority_signed_are_answered() {
    let tls = MutualTls {
        certificate: include_str!("certificates/server.pem").to_owned(),
        key: include_str!("certificates/server.key").into(),
        client_ca: AUTHORITY.to_owned(),
    };
    let (address, _shutdown, _serving) =
        shop::listen(shop::store(), shop::settings(), None, Some(tls)).await;
    let caller = Identity::from_pem(
        include_str!("certificates/caller.pem"),
        include_str!("certificates/caller.key"),
    );
    let stranger = Identity::from_pem(
        include_str!("certificates/stranger.pem"),
        include_str!("certificates/stranger.key"),
    );
    assert_eq!(ask(address, Some(caller)).await.unwrap(), SHOP);
    assert!(ask(address, Some(stranger)).await.is_err());
    assert!(ask(address, None).await.is_err());
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_refused_at_the_start() {
    let tls = MutualTls {
        certificate: "not a certificate".to_owned(),
        key: "not a key".into(),
        client_ca: AUTHORITY.to_owned(),
    };
    let (_, _, serving) = shop::listen(shop::store(), shop::settings(), None, Some(tls)).await;
    let refused = serving.await.unwrap().unwrap_err();
    assert!(matches!(refused, grpc::ServeError::Tls(_)), "{refused}");
}
