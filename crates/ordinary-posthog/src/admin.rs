//! `/livez`, `/readyz` and `/metrics` in plain HTTP, apart from gRPC so that probes need no TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use domain::storage::Store;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Failure};

/// What the program does, by which it is ready or not.
pub(crate) enum Part {
    /// It answers from this store.
    Server(Arc<dyn Store>),
    /// It reconciles, or stands by to.
    Operator(operator::Readiness),
}

impl Part {
    /// Why it is not ready: a server needs a store that answers with the schema that this program expects.
    /// An operator goes on without, for what it deletes it deletes without the store.
    async fn missing(&self) -> Option<String> {
        match self {
            Self::Server(store) => store.ping().await.err().map(|error| error.to_string()),
            Self::Operator(readiness) => readiness.missing().map(str::to_owned),
        }
    }
}

/// What the endpoints answer from.
struct Admin {
    part: Part,
    metrics: Registry,
    draining: CancellationToken,
}

/// Listens on `addr` and serves until `shutdown`; returns once it listens.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn start(
    addr: SocketAddr,
    part: Part,
    metrics: Registry,
    shutdown: CancellationToken,
) -> Result<SocketAddr, Failure> {
    let listener = tokio::net::TcpListener::bind(addr).await.map_err(|error| {
        Failure::new(
            Exit::Configuration,
            format!("Cannot listen on {addr} for health and metrics ({error}): choose another --admin-addr."),
        )
    })?;
    let local = listener.local_addr().unwrap_or(addr);
    let admin = Arc::new(Admin {
        part,
        metrics,
        draining: shutdown.clone(),
    });
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .with_state(admin);
    tokio::spawn(async move {
        let served = axum::serve(listener, routes)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "The admin server stopped.");
        }
    });
    Ok(local)
}

/// Ready means: not draining, and nothing is missing.
async fn readyz(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    if admin.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    match admin.part.missing().await {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}

async fn metrics_text(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &admin.metrics) {
        Ok(()) => (
            StatusCode::OK,
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        ),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain")],
            "metrics cannot be encoded\n".to_owned(),
        ),
    }
}
