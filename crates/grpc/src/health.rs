//! grpc.health.v1 that tells the truth: SERVING only while the store answers and nothing drains.

use std::sync::Arc;
use std::time::Duration;

use domain::storage::ConnectionStore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The longest that the store may take to answer before it counts as silent.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long watchers are left to hear that the server drains, before their streams end.
const LAST_WORD: Duration = Duration::from_millis(100);

/// Reports on the server as a whole and on each of `services`.
pub(crate) struct Health<S: ?Sized> {
    pub(crate) reporter: HealthReporter,
    pub(crate) services: Vec<&'static str>,
    pub(crate) store: Arc<S>,
    pub(crate) interval: Duration,
    pub(crate) draining: CancellationToken,
}

impl<S: ConnectionStore + ?Sized> Health<S> {
    /// To be called before the server listens: tonic-health itself begins with SERVING.
    pub(crate) async fn begin(&self) {
        self.report(ServingStatus::NotServing).await;
    }

    /// Keeps the report true until the server drains; ends once nobody watches any more.
    pub(crate) async fn run(mut self) {
        let mut serving = None;
        while !self.draining.is_cancelled() {
            let answers = self.store_answers().await;
            if !self.draining.is_cancelled() && serving != Some(answers) {
                serving = Some(answers);
                self.report(if answers {
                    ServingStatus::Serving
                } else {
                    ServingStatus::NotServing
                })
                .await;
            }
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = self.draining.cancelled() => {}
            }
        }
        self.report(ServingStatus::NotServing).await;
        tokio::time::sleep(LAST_WORD).await;
        // A watcher's stream would otherwise keep its connection open to the end of the drain.
        for service in self.services.iter().chain([&""]) {
            self.reporter.clear_service_status(service).await;
        }
    }

    async fn store_answers(&self) -> bool {
        match timeout(PATIENCE, self.store.ping()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "The store cannot be used, so gRPC is not serving.");
                false
            }
            Err(_) => {
                tracing::warn!(
                    seconds = PATIENCE.as_secs(),
                    "The store does not answer in time, so gRPC is not serving."
                );
                false
            }
        }
    }

    async fn report(&self, status: ServingStatus) {
        for service in self.services.iter().chain([&""]) {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
