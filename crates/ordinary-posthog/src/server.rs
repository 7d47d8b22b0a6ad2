//! What `up`, `serve` and `demo` share: gRPC and the admin endpoints over one store.

use std::net::SocketAddr;
use std::sync::Arc;

use domain::storage::Store;
use grpc::{GrpcMetrics, MutualTls, ServeConfig, ServeError};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::exit::{Exit, Failure};
use crate::settings::ListenSettings;

/// A server that is listening.
pub(crate) struct Running {
    /// Where gRPC is.
    pub(crate) grpc: SocketAddr,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Waits until the server has drained.
    ///
    /// # Errors
    /// When it broke off instead.
    pub(crate) async fn ended(self) -> Result<(), Failure> {
        match self.task.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failure(error)),
            Err(error) => Err(Failure::new(
                Exit::Configuration,
                format!("the gRPC server broke: {error}"),
            )),
        }
    }
}

/// Listens on both addresses and serves until `shutdown`.
///
/// # Errors
/// When an address cannot be listened on, or must not be without TLS.
pub(crate) async fn start(
    settings: &ListenSettings,
    store: Arc<dyn Store>,
    mut metrics: Registry,
    shutdown: CancellationToken,
) -> Result<Running, Failure> {
    let tls = mutual_tls(settings)?;
    let wanted = settings.grpc_addr;
    let listener = TcpListener::bind(wanted).await.map_err(|error| {
        Failure::new(
            Exit::Configuration,
            format!("Cannot listen on {wanted} for gRPC ({error}): choose another --grpc-addr."),
        )
    })?;
    let grpc = listener.local_addr().unwrap_or(wanted);
    grpc::check_exposure(grpc, tls.as_ref()).map_err(failure)?;
    let config = ServeConfig {
        listener,
        tls,
        shutdown: shutdown.clone(),
        store: Arc::clone(&store),
        metrics: Some(GrpcMetrics::register(&mut metrics)),
        settings: grpc::Settings::default(),
    };
    let admin = admin::start(settings.admin_addr, store, metrics, shutdown.clone()).await?;
    let task = tokio::spawn(async move {
        let ended = grpc::serve(config).await;
        // A server that broke takes the program with it instead of leaving it deaf.
        shutdown.cancel();
        ended
    });
    tracing::info!(address = %admin, "Health and metrics are served.");
    Ok(Running { grpc, task })
}

fn mutual_tls(settings: &ListenSettings) -> Result<Option<MutualTls>, Failure> {
    let (Some(cert), Some(key), Some(client_ca)) = (
        &settings.grpc_tls_cert,
        &settings.grpc_tls_key,
        &settings.grpc_tls_client_ca,
    ) else {
        return Ok(None);
    };
    let read = |path: &std::path::Path, flag: &str| {
        std::fs::read_to_string(path).map_err(|error| {
            Failure::new(
                Exit::Configuration,
                format!("{flag} {} cannot be read: {error}.", path.display()),
            )
        })
    };
    Ok(Some(MutualTls {
        certificate: read(cert, "--grpc-tls-cert")?,
        key: read(key, "--grpc-tls-key")?.into(),
        client_ca: read(client_ca, "--grpc-tls-client-ca")?,
    }))
}

fn failure(error: ServeError) -> Failure {
    Failure::new(Exit::Configuration, error)
}
