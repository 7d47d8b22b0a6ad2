//! One test's corner of the cluster: namespaces, a shop on a stand-in PostHog, a store, and an operator
//! that looks at nobody else's connections.

mod kubelet;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use crd::{Condition, ConditionStatus, PostHogConnection};
use domain::ConnectionName;
use domain::storage::Store;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use operator::{Intervals, Metrics, OperatorConfig, Parts, Readiness, labels};
use posthog::{Http, HttpConfig};
use posthog_stub::{Event, Key, Project, Stub, StubHandle, World};
use serde_json::{Value, json};
use sync::Clock;
use test_kubernetes::Server;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::kubelet::Kubelet;

/// The stand-in's project.
pub(crate) const PROJECT: u64 = 4242;
/// The key that opens it.
pub(crate) const KEY: &str = "phx_0123456789abcdefghijklmnopqrstuvwxyzABCD";
/// No test waits longer for what is to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine's clock, put forward by tests.
#[derive(Default)]
pub(crate) struct OffsetClock(AtomicI64);

impl OffsetClock {
    /// Puts it forward.
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// One test's corner of the cluster.
pub(crate) struct Corner {
    pub(crate) client: Client,
    pub(crate) own: String,
    pub(crate) tenant: String,
    pub(crate) stub: StubHandle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<OffsetClock>,
    pub(crate) config: OperatorConfig,
    _dir: tempfile::TempDir,
}

/// A running operator.
pub(crate) struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }

    /// Stops it in the middle of whatever it does.
    pub(crate) fn kill(self) {
        self.task.abort();
    }
}

impl Corner {
    /// A corner whose workspace is on Starter, with a shop that has a few events and a Secret with the key.
    pub(crate) async fn open() -> Self {
        Self::on_plan(Some("starter")).await
    }

    /// The same on another plan, or none.
    pub(crate) async fn on_plan(plan: Option<&str>) -> Self {
        let server = Server::shared().unwrap();
        server.install(&PostHogConnection::crd()).await.unwrap();
        Self::on(server, plan).await
    }

    /// The same on a server that has the definition.
    pub(crate) async fn on(server: &Server, plan: Option<&str>) -> Self {
        static LOGS: Once = Once::new();
        LOGS.call_once(|| {
            let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "operator=debug".to_owned());
            let _ = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_test_writer()
                .try_init();
        });
        let client = server.client().unwrap();
        let own = server.namespace("operator", &[]).await.unwrap();
        let plan: Vec<_> = plan
            .into_iter()
            .map(|plan| ("ordinary.dev/plan", plan))
            .collect();
        let tenant = server.namespace("acme", &plan).await.unwrap();
        let world = World::new().with_project(shop()).with_key(Key::new(KEY));
        let stub = Stub::start(world).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("store.db").display());
        let store = store::open(&url, store::OpenOptions::default())
            .await
            .unwrap();
        let config: OperatorConfig = serde_json::from_value(json!({
            "namespace": own,
            "job": {
                "image": "registry.invalid/ordinary-posthog:test",
                "database": {"name": "database", "key": "url"},
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
                "tolerations": [{"key": "batch", "operator": "Exists"}],
                "nodeSelector": {"kubernetes.io/os": "linux"},
                "podLabels": {"team": "data"},
            },
            "connectionSelector": format!("corner={own}"),
            "allowInsecureHosts": ["127.0.0.1"],
        }))
        .unwrap();
        let corner = Self {
            config: OperatorConfig {
                identity: "operator-0".to_owned(),
                intervals: Intervals {
                    secret_poll: Duration::from_millis(500),
                    ..Intervals::default()
                },
                ..config
            },
            client,
            own,
            tenant,
            stub,
            store,
            clock: Arc::default(),
            _dir: dir,
        };
        corner.secret("posthog", json!({"apiKey": KEY})).await;
        corner
    }

    /// Starts an operator.
    pub(crate) fn operate(&self) -> Running {
        let cancel = CancellationToken::new();
        let parts = Parts {
            config: self.config.clone(),
            client: self.client.clone(),
            store: Arc::clone(&self.store),
            http: Http::new(HttpConfig {
                allow_insecure_hosts: vec!["127.0.0.1".to_owned()],
                connect_timeout: Duration::from_secs(2),
                ..HttpConfig::default()
            })
            .unwrap(),
            clock: self.clock.clone(),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
        };
        let stop = cancel.clone();
        let task = tokio::spawn(async move { operator::run(parts, stop).await.unwrap() });
        Running { cancel, task }
    }

    /// Starts a kubelet for this corner's Jobs.
    pub(crate) fn kubelet(&self) -> Kubelet {
        Kubelet::start(self)
    }

    pub(crate) fn connections(&self) -> Api<PostHogConnection> {
        Api::namespaced(self.client.clone(), &self.tenant)
    }

    pub(crate) fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.own)
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The smallest spec, with `more` on top.
    pub(crate) fn spec(&self, more: Value) -> Value {
        let mut spec = json!({
            "host": self.stub.url(),
            "projectId": PROJECT,
            "apiKeySecretRef": {"name": "posthog"},
        });
        if let (Value::Object(spec), Value::Object(more)) = (&mut spec, more) {
            spec.extend(more);
        }
        spec
    }

    /// Applies a connection, as `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, name: &str, spec: Value) -> PostHogConnection {
        let object = json!({
            "apiVersion": crd::API_VERSION,
            "kind": crd::KIND,
            "metadata": {"name": name, "labels": {"corner": self.own}},
            "spec": spec,
        });
        let params = PatchParams::apply("test").force();
        let connections = self.connections();
        connections
            .patch(name, &params, &Patch::Apply(&object))
            .await
            .unwrap()
    }

    /// Merges a patch into a connection.
    pub(crate) async fn patch(&self, name: &str, patch: Value) {
        self.connections()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Writes a Secret of the tenant's.
    pub(crate) async fn secret(&self, name: &str, entries: Value) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name},
            "stringData": entries,
        });
        let params = PatchParams::apply("test").force();
        let secrets = self.secrets(&self.tenant);
        secrets
            .patch(name, &params, &Patch::Apply(&secret))
            .await
            .unwrap();
    }

    /// Puts the tenant on a plan, or takes the label off.
    pub(crate) async fn plan(&self, plan: Option<&str>) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let patch = json!({"metadata": {"labels": {"ordinary.dev/plan": plan}}});
        namespaces
            .patch(&self.tenant, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Waits until `wanted` holds of a connection; panics with its last state when it never does.
    pub(crate) async fn wait(
        &self,
        name: &str,
        wanted: impl Fn(&PostHogConnection) -> bool,
    ) -> PostHogConnection {
        let api = self.connections();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = api.get_opt(name).await.unwrap();
            match now {
                Some(connection) if wanted(&connection) => return connection,
                now if tokio::time::Instant::now() > deadline => {
                    let status = now.and_then(|now| now.status);
                    panic!(
                        "never came: {}",
                        serde_json::to_string_pretty(&status).unwrap()
                    );
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Waits until a condition has this status and reason at the present generation.
    pub(crate) async fn condition(
        &self,
        name: &str,
        kind: &str,
        status: ConditionStatus,
        reason: &str,
    ) -> PostHogConnection {
        self.wait(name, |connection| {
            condition(connection, kind).is_some_and(|condition| {
                condition.status == status
                    && condition.reason == reason
                    && condition.observed_generation == connection.metadata.generation
            })
        })
        .await
    }

    /// The Jobs of this corner.
    pub(crate) async fn all_jobs(&self) -> Vec<Job> {
        let mut jobs = self
            .jobs()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items;
        jobs.sort_by_key(|job| job.metadata.creation_timestamp.clone().map(|time| time.0));
        jobs
    }

    /// The Jobs of one kind.
    pub(crate) async fn jobs_of(&self, kind: &str) -> Vec<Job> {
        let mut jobs = self.all_jobs().await;
        jobs.retain(|job| job.labels()[labels::KIND] == kind);
        jobs
    }

    /// Waits until `wanted` holds of the Jobs.
    pub(crate) async fn wait_jobs(&self, wanted: impl Fn(&[Job]) -> bool) -> Vec<Job> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let jobs = self.all_jobs().await;
            if wanted(&jobs) {
                return jobs;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "never came: {:?}",
                jobs.iter().map(ResourceExt::name_any).collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn name(&self, name: &str) -> ConnectionName {
        ConnectionName::new(self.tenant.clone(), name)
    }

    /// Now, by the operator's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until the API server admits Jobs into the operator's namespace, or refuses them. It looks
    /// at quotas through a cache of its own, which follows a change a moment later.
    pub(crate) async fn jobs_admitted(&self, wanted: bool) {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.own);
        let container = json!({"name": "asked", "image": "asked"});
        let asked = json!({
            "metadata": {"name": "asked"},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
        });
        let asked: Job = serde_json::from_value(asked).unwrap();
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let admitted = match jobs.create(&dry_run, &asked).await {
                Ok(_) => true,
                Err(kube::Error::Api(refusal)) if refusal.is_forbidden() => false,
                Err(error) => panic!("a Job could not be asked for: {error}"),
            };
            if admitted == wanted {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {admitted}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Requests that the stand-in got.
    pub(crate) fn requests(&self) -> usize {
        self.stub.requests().len()
    }

    /// Deletes the tenant's Secret.
    pub(crate) async fn delete_secret(&self, name: &str) {
        let secrets = self.secrets(&self.tenant);
        secrets
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Creates any object in a namespace.
    pub(crate) async fn create<K>(&self, namespace: &str, object: Value) -> K
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + serde::Serialize,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let object: K = serde_json::from_value(object).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap()
    }
}

/// A condition, if it is there.
pub(crate) fn condition<'a>(
    connection: &'a PostHogConnection,
    kind: &str,
) -> Option<&'a Condition> {
    let status = connection.status.as_ref()?;
    status.conditions.iter().find(|found| found.kind == kind)
}

/// The message of a condition.
pub(crate) fn message<'a>(connection: &'a PostHogConnection, kind: &str) -> &'a str {
    condition(connection, kind).map_or("", |condition| condition.message.as_str())
}

/// A shop with a product view, a cart and a checkout in each of the last days.
pub(crate) fn shop() -> Project {
    let mut project = Project::new(PROJECT, "Storefront").timezone("Europe/Berlin");
    let now = Timestamp::now();
    for hours in [1, 30, 60] {
        let at = now - SignedDuration::from_hours(hours);
        let visitor = format!("visitor-{hours}");
        project.insert(
            Event::new("$pageview", visitor.as_str(), at)
                .property("$current_url", "https://shop.example/products/red-shirt"),
        );
        project.insert(Event::new("product added to cart", visitor.as_str(), at));
        project.insert(Event::new("checkout started", visitor.as_str(), at));
    }
    project
}
