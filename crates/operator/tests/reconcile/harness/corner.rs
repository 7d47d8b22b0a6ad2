//! One test's corner of the cluster: namespaces, a shop on a stand-in PostHog, a store, and operators
//! that look at nobody else's connections.

use std::sync::{Arc, Once};
use std::time::Duration;

use crd::{Condition, PostHogConnection};
use domain::storage::{ConnectionRecord, Store};
use domain::{ConnectionId, ConnectionName};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use operator::{Intervals, LeaseTiming, OperatorConfig, labels};
use posthog_stub::{Key, Stub, StubHandle, World};
use serde_json::json;
use sync::Clock;
use tempfile::TempDir;
use test_kubernetes::{Kubelet, Server};

use super::{KEY, OffsetClock, Pods, kubelet, shop};

/// One test's corner of the cluster.
pub(crate) struct Corner {
    /// How the admin reaches the API server.
    pub(crate) admin: kube::Config,
    pub(crate) client: Client,
    pub(crate) own: String,
    pub(crate) tenant: String,
    pub(crate) stub: StubHandle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<OffsetClock>,
    pub(crate) config: OperatorConfig,
    _dir: TempDir,
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
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("store.db").display());
        let store = store::open(&url, store::OpenOptions::default())
            .await
            .unwrap();
        Self::of(server, plan, store, dir).await
    }

    /// The same with this store.
    pub(crate) async fn with_store(store: Arc<dyn Store>) -> Self {
        let server = Server::shared().unwrap();
        server.install(&PostHogConnection::crd()).await.unwrap();
        let nothing = tempfile::tempdir().unwrap();
        Self::of(server, Some("starter"), store, nothing).await
    }

    async fn of(server: &Server, plan: Option<&str>, store: Arc<dyn Store>, dir: TempDir) -> Self {
        let client = server.client().unwrap();
        let own = server.namespace("operator", &[]).await.unwrap();
        let plan: Vec<_> = plan
            .into_iter()
            .map(|plan| ("ordinary.dev/plan", plan))
            .collect();
        let tenant = server.namespace("acme", &plan).await.unwrap();
        let world = World::new().with_project(shop()).with_key(Key::new(KEY));
        let stub = Stub::start(world).await.unwrap();
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
                    // A busy machine must not cost leadership.
                    lease: LeaseTiming {
                        duration: Duration::from_secs(120),
                        renew_deadline: Duration::from_secs(100),
                        ..LeaseTiming::default()
                    },
                    ..Intervals::default()
                },
                ..config
            },
            admin: server.config(),
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

    /// Starts a kubelet for this corner's Jobs.
    pub(crate) fn kubelet(&self) -> Kubelet {
        kubelet::start(self, Pods::Run)
    }

    /// Starts a kubelet whose pods end at once with this exit code.
    pub(crate) fn failing_kubelet(&self, code: i32) -> Kubelet {
        kubelet::start(self, Pods::Exit(code))
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

    pub(crate) fn name(&self, name: &str) -> ConnectionName {
        ConnectionName::new(self.tenant.clone(), name)
    }

    /// What the store has of a connection that was reconciled.
    pub(crate) async fn stored(&self, name: &str) -> ConnectionRecord {
        let record = self.store.connection(&self.name(name)).await;
        record.unwrap().unwrap()
    }

    /// Whether readers are answered from the project that the connection asks for.
    pub(crate) async fn reads_what_is_asked_for(&self, name: &str) -> bool {
        let ConnectionRecord {
            desired, serving, ..
        } = self.stored(name).await;
        serving == ConnectionId::of(&desired.name, &desired.epoch)
    }

    /// Now, by the operator's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Requests that the stand-in got.
    pub(crate) fn requests(&self) -> usize {
        self.stub.requests().len()
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

    /// What was told of the tenant's connections for this reason.
    pub(crate) async fn told(&self, reason: &str) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.tenant);
        let about = ListParams::default().fields(&format!("reason={reason}"));
        let events = events.list(&about).await.unwrap().items;
        events.into_iter().filter_map(|event| event.note).collect()
    }

    /// The Jobs of one kind.
    pub(crate) async fn jobs_of(&self, kind: &str) -> Vec<Job> {
        let mut jobs = self.all_jobs().await;
        jobs.retain(|job| job.labels()[labels::KIND] == kind);
        jobs
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
