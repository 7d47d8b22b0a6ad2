//! An operator in this process.

use std::sync::Arc;
use std::time::Duration;

use domain::storage::Store;
use kube::client::ClientBuilder;
use operator::{Metrics, OperatorConfig, Parts, Readiness};
use posthog::{Http, HttpConfig};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Corner, PATIENCE};

/// So long nothing happens where nothing is to be done.
const CALM: Duration = Duration::from_secs(4);
/// Requests that the Lease takes in that time: it is read and written every 2 seconds.
const RENEWALS: f64 = 6.0;

/// A running operator.
pub(crate) struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
    measured: Registry,
}

impl Running {
    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }

    /// Stops it in the middle of whatever it does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Whether it leads.
    pub(crate) fn leads(&self) -> bool {
        self.sum("leader_election_master_status", "") > 0.0
    }

    /// Whether it reconciles nobody, and nobody waits for that.
    pub(crate) fn is_idle(&self) -> bool {
        self.sum("controller_runtime_active_workers", "") == 0.0
            && self.sum("workqueue_depth", "") == 0.0
    }

    /// How many reconciliations it has ended.
    pub(crate) fn reconciliations(&self) -> f64 {
        self.sum("controller_runtime_reconcile_total", "")
    }

    /// Waits until it has nothing left to do, and sees that it does nothing for some seconds: it reconciles
    /// nobody and, but for the Lease that it renews, asks the API server nothing.
    pub(crate) async fn is_calm(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = (self.reconciliations(), self.requests());
            sleep(CALM).await;
            let reconciled = self.reconciliations() - before.0;
            let asked = self.requests() - before.1;
            if reconciled == 0.0 && asked <= RENEWALS {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "it never rests: {reconciled} reconciliations and {asked} requests in {CALM:?}"
            );
        }
    }

    /// How many requests it has sent to the API server.
    pub(crate) fn requests(&self) -> f64 {
        self.sum("rest_client_requests_total", "")
    }

    /// The sum of a metric's series that have this label.
    pub(crate) fn sum(&self, name: &str, label: &str) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.measured).unwrap();
        text.lines()
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                let found = series.split('{').next() == Some(name) && series.contains(label);
                found.then(|| value.parse::<f64>().unwrap())
            })
            .sum()
    }
}

impl Corner {
    /// Starts an operator, with every right; its requests are counted.
    pub(crate) fn operate(&self) -> Running {
        let (measured, metrics) = metrics();
        let client = ClientBuilder::try_from(self.admin.clone())
            .unwrap()
            .with_layer(&metrics.layer("test".to_owned()))
            .build();
        let parts = self.parts(self.config.clone(), client, metrics);
        run(parts, measured)
    }

    /// Starts an operator with this client.
    pub(crate) fn operate_as(&self, client: kube::Client) -> Running {
        let (measured, metrics) = metrics();
        run(self.parts(self.config.clone(), client, metrics), measured)
    }

    /// Starts an operator with this client and this way to the store.
    pub(crate) fn operate_through(&self, client: kube::Client, store: Arc<dyn Store>) -> Running {
        let (measured, metrics) = metrics();
        let parts = Parts {
            store,
            ..self.parts(self.config.clone(), client, metrics)
        };
        run(parts, measured)
    }

    /// Starts an operator that was installed so.
    pub(crate) fn operate_by(&self, config: OperatorConfig) -> Running {
        let (measured, metrics) = metrics();
        run(self.parts(config, self.client.clone(), metrics), measured)
    }

    fn parts(&self, config: OperatorConfig, client: kube::Client, metrics: Metrics) -> Parts {
        Parts {
            client,
            store: Arc::clone(&self.store),
            http: Http::new(HttpConfig {
                allow_insecure_hosts: config.allow_insecure_hosts.clone(),
                connect_timeout: Duration::from_secs(2),
                ..HttpConfig::default()
            })
            .unwrap(),
            clock: self.clock.clone(),
            metrics,
            readiness: Readiness::default(),
            config,
        }
    }
}

fn run(parts: Parts, measured: Registry) -> Running {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let task = tokio::spawn(async move { operator::run(parts, stop).await.unwrap() });
    Running {
        cancel,
        task,
        measured,
    }
}

fn metrics() -> (Registry, Metrics) {
    let mut measured = Registry::default();
    let metrics = Metrics::register(&mut measured);
    (measured, metrics)
}
