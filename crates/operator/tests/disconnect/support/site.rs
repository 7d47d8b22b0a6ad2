//! A cluster with one operator, one merchant's namespace and a store.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use crd::PostHogConnection;
use domain::storage::Store;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, CustomResourceExt};
use operator::{Metrics, OperatorConfig, Parts, Readiness};
use posthog::{Http, HttpConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_kubernetes::Server;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An operator is alone in its cluster, so only one test has one at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A cluster with one operator, one merchant's namespace and a store.
pub(crate) struct Site {
    pub(crate) server: &'static Server,
    /// The admin's.
    pub(crate) client: kube::Client,
    pub(crate) store: Arc<dyn Store>,
    /// The operator's namespace.
    pub(crate) home: String,
    /// The merchant's namespace.
    pub(crate) workspace: String,
    pub(crate) config: OperatorConfig,
    /// Where a SQLite store is, for as long as the site.
    _folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// A running operator.
pub(crate) struct Running {
    cancel: CancellationToken,
    task: JoinHandle<Result<(), operator::Error>>,
}

impl Site {
    /// One with a SQLite store.
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("store.db").display());
        let options = store::OpenOptions::default();
        let store = store::open(&url, options).await.unwrap();
        Self::with_store(store, folder).await
    }

    /// One with this store.
    pub(crate) async fn with_store(store: Arc<dyn Store>, folder: TempDir) -> Self {
        let alone = ALONE.lock().await;
        // What the operator says is shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let server = Server::shared().unwrap();
        server.install(&PostHogConnection::crd()).await.unwrap();
        let home = server.namespace("operator", &[]).await.unwrap();
        let plan = [("ordinary.dev/plan", "growth")];
        let workspace = server.namespace("acme", &plan).await.unwrap();
        let mut config: OperatorConfig = serde_json::from_value(json!({
            "namespace": home,
            "job": {
                "image": "registry.invalid/ordinary-posthog:test",
                "database": {"name": "database", "key": "url"},
            },
            "allowInsecureHosts": ["127.0.0.1"],
            "mayForgetSecrets": true,
        }))
        .unwrap();
        config.identity = "operator-0".to_owned();
        config.intervals.sweep = Duration::from_millis(500);
        // A busy machine must not cost leadership.
        config.intervals.lease.duration = Duration::from_secs(120);
        config.intervals.lease.renew_deadline = Duration::from_secs(100);
        // Nor leave it to the sweeper to stop reads.
        config.intervals.store_patience = Duration::from_secs(60);
        Self {
            client: server.client().unwrap(),
            server,
            store,
            home,
            workspace,
            config,
            _folder: folder,
            _alone: alone,
        }
    }

    /// Starts the operator, with every right.
    pub(crate) fn start(&self) -> Running {
        self.start_as(self.client.clone())
    }

    /// Starts the operator with this client.
    pub(crate) fn start_as(&self, client: kube::Client) -> Running {
        let http = Http::new(HttpConfig {
            allow_insecure_hosts: self.config.allow_insecure_hosts.clone(),
            ..HttpConfig::default()
        });
        let parts = Parts {
            config: self.config.clone(),
            client,
            store: Arc::clone(&self.store),
            http: http.unwrap(),
            clock: Arc::new(sync::SystemClock),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
        };
        let cancel = CancellationToken::new();
        Running {
            task: tokio::spawn(operator::run(parts, cancel.clone())),
            cancel,
        }
    }

    /// Connections of the merchant's namespace.
    pub(crate) fn connections(&self) -> Api<PostHogConnection> {
        Api::namespaced(self.client.clone(), &self.workspace)
    }

    /// Secrets of the merchant's namespace.
    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.workspace)
    }

    /// Secrets of the operator's namespace.
    pub(crate) fn own_secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.home)
    }

    /// Jobs of the operator's namespace.
    pub(crate) fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.home)
    }

    /// Creates a Secret of the merchant's with an API key in it; `more` is laid over it.
    pub(crate) async fn secret(&self, name: &str, more: Value) {
        let mut secret = json!({
            "metadata": {"name": name},
            "stringData": {"apiKey": "phx_test"},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            for (inner, value) in value.as_object().into_iter().flatten() {
                secret[field][inner] = value.clone();
            }
            if !value.is_object() {
                secret[field] = value.clone();
            }
        }
        let secret: Secret = serde_json::from_value(secret).unwrap();
        self.secrets()
            .create(&PostParams::default(), &secret)
            .await
            .unwrap();
    }

    /// Applies a Secret of the merchant's by `kubectl`, and returns what that says.
    pub(crate) fn kubectl_apply(&self, name: &str, entries: &Value) -> String {
        let mut manifest =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
        for (field, value) in entries.as_object().into_iter().flatten() {
            manifest[field] = value.clone();
        }
        let mut running = self
            .server
            .kubectl()
            .args(["--namespace", &self.workspace, "apply", "--filename", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = running.stdin.take().unwrap();
        stdin.write_all(manifest.to_string().as_bytes()).unwrap();
        drop(stdin);
        let done = running.wait_with_output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(done.status.success(), "{said}");
        said
    }

    /// The names of the entries of a Secret of the merchant's; none when the Secret is gone.
    pub(crate) async fn entries(&self, name: &str) -> Option<Vec<String>> {
        let secret = self.secrets().get_opt(name).await.unwrap()?;
        Some(secret.data.unwrap_or_default().into_keys().collect())
    }
}

impl Running {
    /// Has it end in order.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Kills it.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
