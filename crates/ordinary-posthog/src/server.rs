//! What `up`, `serve` and `demo` share: gRPC and the admin endpoints over one store.

use std::net::SocketAddr;
use std::sync::Arc;

use domain::storage::Store;
use grpc::{GrpcMetrics, MutualTls, ServeConfig, ServeError};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Part};
use crate::certificates::Certificates;
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
    let certificates = Certificates::of(settings);
    let tls = match &certificates {
        Some(files) => Some(files.read()?),
        None => None,
    };
    let wanted = settings.grpc_addr;
    let listener = TcpListener::bind(wanted).await.map_err(|error| {
        Failure::new(
            Exit::Configuration,
            format!("Cannot listen on {wanted} for gRPC ({error}): choose another --grpc-addr."),
        )
    })?;
    let grpc = listener.local_addr().unwrap_or(wanted);
    grpc::check_exposure(grpc, tls.as_ref()).map_err(failure)?;
    let servers = Servers {
        store: Arc::clone(&store),
        metrics: GrpcMetrics::register(&mut metrics),
        shutdown: shutdown.clone(),
        settings: settings.grpc(),
    };
    let part = Part::Server(store);
    let admin = admin::start(settings.admin.admin_addr, part, metrics, shutdown.clone()).await?;
    let task = tokio::spawn(async move {
        let ended = match certificates.zip(tls) {
            Some((files, tls)) => servers.follow(listener, &files, tls).await,
            None => servers.serve(listener, None, shutdown.clone()).await,
        };
        // A server that broke takes the program with it instead of leaving it deaf.
        shutdown.cancel();
        ended
    });
    tracing::info!(address = %admin, "Health and metrics are served.");
    Ok(Running { grpc, task })
}

/// Makes gRPC servers that differ in their certificates alone.
struct Servers {
    store: Arc<dyn Store>,
    metrics: GrpcMetrics,
    shutdown: CancellationToken,
    settings: grpc::Settings,
}

impl Servers {
    /// One server, until `shutdown`.
    fn serve(
        &self,
        listener: TcpListener,
        tls: Option<MutualTls>,
        shutdown: CancellationToken,
    ) -> impl Future<Output = Result<(), ServeError>> + use<> {
        grpc::serve(ServeConfig {
            listener,
            tls,
            shutdown,
            store: Arc::clone(&self.store),
            metrics: Some(self.metrics.clone()),
            settings: self.settings.clone(),
        })
    }

    /// A server, and another on the same address whenever the certificates are renewed. The one
    /// before drains meanwhile: its calls end, its streams with UNAVAILABLE and a resume token.
    async fn follow(
        &self,
        listener: TcpListener,
        files: &Certificates,
        mut tls: MutualTls,
    ) -> Result<(), ServeError> {
        let listener = listener.into_std().map_err(ServeError::Listener)?;
        let mut servers = JoinSet::new();
        loop {
            let current = self.shutdown.child_token();
            let copy = listener.try_clone().and_then(TcpListener::from_std);
            let copy = copy.map_err(ServeError::Listener)?;
            servers.spawn(self.serve(copy, Some(tls.clone()), current.clone()));
            tls = loop {
                tokio::select! {
                    renewed = files.renewed(&tls) => break renewed,
                    ended = servers.join_next() => match ended {
                        Some(Ok(Ok(()))) => {}
                        Some(Ok(Err(error))) => return Err(error),
                        Some(Err(broken)) => std::panic::resume_unwind(broken.into_panic()),
                        None => return Ok(()),
                    },
                }
            };
            tracing::info!("The certificates for gRPC were renewed and are in use now.");
            current.cancel();
        }
    }
}

fn failure(error: ServeError) -> Failure {
    Failure::new(Exit::Configuration, error)
}
