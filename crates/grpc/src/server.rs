//! The one place that puts a server together: services, reflection, health, layers and limits,
//! and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::clickmaps::ClickmapServer;
use crate::cohorts::CohortServer;
use crate::connections::ConnectionServer;
use crate::deadline::DeadlineLayer;
use crate::erasures::ErasureServer;
use crate::events::EventServer;
use crate::exposure::{MutualTls, check_exposure};
use crate::graphs::Graphs;
use crate::health::Health;
use crate::identities::IdentityServer;
use crate::measured::MeasureLayer;
use crate::metrics::GrpcMetrics;
use crate::proto::DESCRIPTORS;
use crate::proto::v1::clickmap_service_server::ClickmapServiceServer;
use crate::proto::v1::cohort_service_server::CohortServiceServer;
use crate::proto::v1::connection_service_server::ConnectionServiceServer;
use crate::proto::v1::erasure_service_server::ErasureServiceServer;
use crate::proto::v1::event_service_server::EventServiceServer;
use crate::proto::v1::identity_service_server::IdentityServiceServer;
use crate::proto::v1::trail_service_server::TrailServiceServer;
use crate::reads::{ReadStore, Reads};
use crate::settings::Settings;
use crate::token::TokenKeys;
use crate::trails::TrailServer;

/// The largest request; a thousand identity keys of the longest kind take about half of it.
const MAX_REQUEST: usize = 1024 * 1024;
/// The largest answer: what clients accept by default. Pages stop at a quarter of it, so only a
/// single enormous row could reach it.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Bytes a stream may have under way before its reader takes some; HTTP/2's own 64 KiB stalls
/// a fast reader on every page.
const WINDOW: u32 = 1024 * 1024;
/// How often an idle connection is asked whether its caller still lives, and for how long.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// What a server is made of.
pub struct ServeConfig<S: ?Sized> {
    /// Where it listens.
    pub listener: TcpListener,
    /// Certificates; needed unless it listens on loopback.
    pub tls: Option<MutualTls>,
    /// Cancelling it drains the server.
    pub shutdown: CancellationToken,
    /// What is read.
    pub store: Arc<S>,
    /// Where calls are counted, if anywhere.
    pub metrics: Option<GrpcMetrics>,
    /// Limits and pauses.
    pub settings: Settings,
}

/// Why a server did not start or broke off. Each message names the fix.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
pub enum ServeError {
    /// Strangers could read everything.
    #[error(
        "gRPC on {address} could be reached from other machines, and without certificates anybody there could read every connection: listen on loopback, such as 127.0.0.1:{}, or give a certificate, its key and the authority of the callers' certificates for mutual TLS", .address.port()
    )]
    Exposed {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The listener has no address.
    #[error("the gRPC listener cannot be used: {0}")]
    Listener(#[source] std::io::Error),
    /// The certificates cannot be used.
    #[error(
        "the certificates for gRPC cannot be used ({0}): each must be a PEM file, and the key the certificate's own"
    )]
    Tls(#[source] tonic::transport::Error),
    /// The API cannot be described.
    #[error("the gRPC descriptors cannot be used: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// The transport broke.
    #[error("the gRPC server stopped: {0}")]
    Transport(#[source] tonic::transport::Error),
}

/// Serves until `shutdown` is cancelled, then drains: health turns to NOT_SERVING, nobody new is
/// let in, streams end with UNAVAILABLE and a resume token, and calls under way are finished for
/// as long as [`Settings::drain`] allows. Whatever is then left is abandoned.
///
/// # Errors
/// [`ServeError`], before anything is answered or when the transport breaks.
pub async fn serve<S: ReadStore + ?Sized + 'static>(
    config: ServeConfig<S>,
) -> Result<(), ServeError> {
    let address = config.listener.local_addr().map_err(ServeError::Listener)?;
    check_exposure(address, config.tls.as_ref())?;

    let (reporter, health_service) = tonic_health::server::health_reporter();
    let health = Health {
        reporter,
        services: vec![
            ClickmapServiceServer::<ClickmapServer<S>>::NAME,
            ConnectionServiceServer::<ConnectionServer<S>>::NAME,
            ErasureServiceServer::<ErasureServer<S>>::NAME,
            EventServiceServer::<EventServer<S>>::NAME,
            IdentityServiceServer::<IdentityServer<S>>::NAME,
            CohortServiceServer::<CohortServer<S>>::NAME,
            TrailServiceServer::<TrailServer<S>>::NAME,
        ],
        store: Arc::clone(&config.store),
        interval: config.settings.health_interval,
        draining: config.shutdown.clone(),
    };
    health.begin().await;

    let mut server = Server::builder();
    if let Some(tls) = &config.tls {
        server = server.tls_config(tls.config()).map_err(ServeError::Tls)?;
    }
    let settings = &config.settings;
    let identities = config.metrics.as_ref().map(GrpcMetrics::identities);
    let graphs = Graphs::new(
        Arc::clone(&config.store),
        settings.identity_memory,
        identities.cloned().unwrap_or_default(),
        config.shutdown.clone(),
    );
    let routes = routes(&config, graphs.clone())?.add_service(health_service);
    let serving = server
        .trace_fn(|request| tracing::info_span!("grpc", path = request.uri().path()))
        .concurrency_limit_per_connection(settings.concurrency_per_connection)
        .max_concurrent_streams(settings.max_concurrent_streams)
        .initial_stream_window_size(WINDOW)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        // No grace beside it: tonic 0.14 then closes at once instead of asking to close.
        .max_connection_age(settings.max_connection_age)
        .layer(MeasureLayer {
            metrics: config.metrics.clone(),
        })
        .layer(DeadlineLayer {
            default: settings.deadline,
        })
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(config.listener).with_nodelay(Some(true)),
            config.shutdown.clone().cancelled_owned(),
        );

    tracing::info!(%address, tls = config.tls.is_some(), "gRPC is listening.");
    let watching = tokio::spawn(health.run());
    let sweeping = tokio::spawn(graphs.sweep());
    let outcome = tokio::select! {
        served = serving => served.map_err(ServeError::Transport),
        () = drained(&config.shutdown, config.settings.drain) => {
            tracing::warn!(
                seconds = config.settings.drain.as_secs_f64(),
                "Some gRPC calls did not end in time and were abandoned."
            );
            Ok(())
        }
    };
    watching.abort();
    sweeping.abort();
    outcome
}

/// When whoever is left has had the time that a drain allows.
async fn drained(shutdown: &CancellationToken, allowed: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(allowed).await;
}

/// Every service of the API, and reflection in both of its versions: older clients know v1alpha.
fn routes<S: ReadStore + ?Sized + 'static>(
    config: &ServeConfig<S>,
    graphs: Graphs<S>,
) -> Result<Routes, tonic_reflection::server::Error> {
    let reads = Reads {
        store: Arc::clone(&config.store),
        graphs,
        tokens: Arc::new(TokenKeys::default()),
        settings: config.settings.clone(),
        draining: config.shutdown.clone(),
    };
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            // Without these grpcurl shows the details of errors as base64.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::new(
        ConnectionServiceServer::new(ConnectionServer::new(reads.clone()))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER),
    )
    .add_service(
        EventServiceServer::new(EventServer::new(reads.clone()))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER),
    )
    .add_service(
        ErasureServiceServer::new(ErasureServer::new(reads.clone()))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER),
    )
    .add_service(
        IdentityServiceServer::new(IdentityServer::new(reads.clone()))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER),
    )
    .add_service(
        CohortServiceServer::new(CohortServer::new(reads.clone()))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER),
    )
    .add_service(
        ClickmapServiceServer::new(ClickmapServer::new(reads.clone()))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER),
    )
    .add_service(
        TrailServiceServer::new(TrailServer::new(reads))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER),
    )
    .add_service(reflection().build_v1()?)
    .add_service(reflection().build_v1alpha()?))
}
