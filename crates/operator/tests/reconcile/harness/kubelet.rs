//! What a pod would do, played by this process: `sync` from the files of the Job's Secret alone, or
//! `purge`, and the exit code that it ends with.

use std::sync::Arc;
use std::time::Duration;

use documents::Loader;
use domain::storage::{Purge, Store};
use domain::sync::SyncMode;
use domain::{ConnectionName, Plan};
use k8s_openapi::api::core::v1::Secret;
use posthog::{Client, ClientConfig, Http, HttpConfig};
use sync::{
    Clock, Context, MappingPolicy, RefreshPolicy, RetryPolicy, Settings, Share, StoreGate,
    SyncError,
};
use test_kubernetes::{Kubelet, Started};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Corner;

/// Pods that work at once, however many have begun: more would only make each other late.
const CORES: usize = 4;

/// Starts a kubelet for the corner's Jobs.
pub(super) fn start(corner: &Corner, becomes: Pods) -> Kubelet {
    let node = Node {
        becomes,
        store: Arc::clone(&corner.store),
        clock: corner.clock.clone(),
        cores: Arc::new(Semaphore::new(CORES)),
    };
    Kubelet::start(&corner.client, &corner.own, move |started| {
        let node = node.clone();
        async move { node.pod(started).await }
    })
}

/// What becomes of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pods {
    /// They run to their end.
    Run,
    /// They end at once with this exit code.
    Exit(i32),
}

#[derive(Clone)]
struct Node {
    becomes: Pods,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    cores: Arc<Semaphore>,
}

impl Node {
    async fn pod(&self, started: Started) -> i32 {
        let _core = self.cores.acquire().await.unwrap();
        let spec = started.pod.spec.unwrap();
        let args = spec.containers[0].args.clone().unwrap_or_default();
        match (self.becomes, started.secret) {
            (Pods::Run, Some(secret)) => self.sync(&args, &secret, started.cancel).await,
            (Pods::Run, None) => self.purge(&args).await,
            (Pods::Exit(code), _) => code,
        }
    }

    /// What `purge` does, and its exit code.
    async fn purge(&self, args: &[String]) -> i32 {
        assert_eq!(args[0], "purge");
        let name = args[1].strip_prefix("--connection=").unwrap();
        let (namespace, name) = name.split_once('/').unwrap();
        let name = ConnectionName::new(namespace, name);
        let purged = self.store.purge_connection(&name, self.clock.now()).await;
        match purged {
            Ok(Purge::Done { .. }) => 0,
            Ok(Purge::Alive | Purge::Kept { .. }) => 10,
            Err(_) => 20,
        }
    }

    /// What `sync` does, and its exit code.
    async fn sync(&self, args: &[String], secret: &Secret, cancel: CancellationToken) -> i32 {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in secret.data.iter().flatten() {
            std::fs::write(folder.path().join(name), &value.0).unwrap();
        }
        let mut loader = Loader::new(vec![folder.path().join("connection.yaml")]);
        let loaded = match loader.load() {
            Ok(mut loaded) => loaded.connections.remove(0),
            Err(refused) => panic!("the Job's documents are refused: {:?}", refused.problems),
        };
        let plan = loaded.plan(Plan::Free);
        let valid = loaded.valid;
        let settings = Settings {
            mapping: MappingPolicy::Spec(valid.mapping.clone()),
            time_zone: valid
                .time_zone
                .as_ref()
                .and_then(|z| z.iana_name())
                .map(str::to_owned),
            refresh: RefreshPolicy {
                interval: valid.refresh.interval.try_into().unwrap(),
                lookback: valid.refresh.lookback.try_into().unwrap(),
            },
            cohorts: valid.cohorts,
            backfill_via: valid.backfill.via,
            desired: valid.into_desired(plan),
        };
        let desired = &settings.desired;
        let gate = StoreGate::new(Arc::clone(&self.store), desired.epoch.clone(), Share::Run);
        let ctx = Context {
            client: Client::new(ClientConfig {
                host: desired.epoch.host.clone(),
                project: desired.epoch.project_id,
                key: loaded.key,
                http: Http::new(HttpConfig {
                    allow_insecure_hosts: vec!["127.0.0.1".to_owned()],
                    ..HttpConfig::default()
                })
                .unwrap(),
                gate: Arc::new(gate),
                reads_elements: desired.clickmaps.rules().is_some(),
                id_properties: desired.id_properties.clone(),
            }),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            progress: Arc::new(sync::progress::Silent),
            cancel,
            holder: "kubelet".into(),
            patience: Duration::from_secs(5),
            retry: RetryPolicy {
                attempts: 1,
                ..RetryPolicy::default()
            },
        };
        let settings = match sync::registered(&*self.store, settings).await {
            Ok(settings) => settings,
            Err(error) => return exit_code(&error),
        };
        let mode = args.iter().find_map(|arg| arg.strip_prefix("--mode="));
        let ended = match mode.unwrap() {
            "backfill" => sync::run(&ctx, &settings, SyncMode::Backfill).await.err(),
            "refresh" => sync::run(&ctx, &settings, SyncMode::Refresh).await.err(),
            "remap" => sync::remap(&ctx, &settings).await.err(),
            other => panic!("there is no mode {other}"),
        };
        ended.map_or(0, |error| exit_code(&error))
    }
}

/// Those of `docs/exit-codes.md` that tests bring about.
fn exit_code(error: &SyncError) -> i32 {
    match error {
        SyncError::PostHog(error) => match error.reason() {
            "InvalidApiKey" => 11,
            "MissingScope" => 13,
            "ProjectNotFound" => 14,
            "Throttled" => 19,
            _ if error.is_retryable() => 17,
            _ => 18,
        },
        SyncError::Interrupted => 130,
        SyncError::NotEligible { .. } => 21,
        SyncError::Suspended
        | SyncError::Disconnected
        | SyncError::NotRegistered
        | SyncError::Moved { .. }
        | SyncError::UnknownTimeZone(_) => 10,
        SyncError::Busy { .. } | SyncError::Store(_) => 20,
        SyncError::TooHeavy { .. } => 18,
    }
}
