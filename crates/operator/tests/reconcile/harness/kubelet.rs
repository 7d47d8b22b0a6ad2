//! Plays the kubelet: runs for each pod what `sync` would, from the files of the Job's Secret alone, and
//! reports phase and exit code, so that the real Job controller goes on from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use documents::Loader;
use domain::Plan;
use domain::storage::Store;
use domain::sync::SyncMode;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use posthog::{Client, ClientConfig, Http, HttpConfig};
use serde_json::json;
use sync::{
    Clock, Context, MappingPolicy, RefreshPolicy, RetryPolicy, Settings, Share, StoreGate,
    SyncError,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Corner;

/// A running kubelet.
pub(crate) struct Kubelet {
    task: JoinHandle<()>,
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
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
    pods: Api<Pod>,
    secrets: Api<Secret>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Kubelet {
    pub(super) fn start(corner: &Corner, becomes: Pods) -> Self {
        let node = Node {
            becomes,
            pods: Api::namespaced(corner.client.clone(), &corner.own),
            secrets: Api::namespaced(corner.client.clone(), &corner.own),
            store: Arc::clone(&corner.store),
            clock: corner.clock.clone(),
        };
        Self {
            task: tokio::spawn(node.run()),
        }
    }
}

impl Node {
    async fn run(self) {
        let mut running: HashMap<String, (CancellationToken, JoinHandle<()>)> = HashMap::new();
        loop {
            let pods = self.pods.list(&ListParams::default()).await.unwrap().items;
            running.retain(|name, (cancel, _)| {
                let is_there = pods.iter().any(|pod| {
                    pod.name_any() == *name && pod.metadata.deletion_timestamp.is_none()
                });
                if !is_there {
                    cancel.cancel();
                }
                is_there
            });
            for pod in pods {
                let name = pod.name_any();
                let is_new =
                    pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Pending");
                if !is_new || running.contains_key(&name) {
                    continue;
                }
                let Some(secret) = self.secret_of(&pod).await else {
                    continue;
                };
                let cancel = CancellationToken::new();
                let node = self.clone();
                let token = cancel.clone();
                let task = tokio::spawn(async move { node.pod(pod, secret, token).await });
                running.insert(name, (cancel, task));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The Secret that the pod mounts: without it, it does not start.
    async fn secret_of(&self, pod: &Pod) -> Option<Secret> {
        let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
        let name = volumes
            .iter()
            .find_map(|volume| volume.secret.as_ref()?.secret_name.clone())?;
        self.secrets.get_opt(&name).await.unwrap()
    }

    async fn pod(&self, pod: Pod, secret: Secret, cancel: CancellationToken) {
        let name = pod.name_any();
        self.report(
            &name,
            json!({
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [status(&json!({"running": {"startedAt": null}}))],
            }),
        )
        .await;
        let args = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.containers[0].args.clone());
        let code = match self.becomes {
            Pods::Run => self.sync(&args.unwrap_or_default(), &secret, cancel).await,
            Pods::Exit(code) => code,
        };
        self.report(&name, json!({
            "phase": if code == 0 { "Succeeded" } else { "Failed" },
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [status(&json!({"terminated": {"exitCode": code, "finishedAt": null, "startedAt": null}}))],
        }))
        .await;
    }

    async fn report(&self, pod: &str, status: serde_json::Value) {
        let patch = Patch::Merge(json!({"status": status}));
        // A pod that was deleted meanwhile is reported on by nobody.
        let _ = self
            .pods
            .patch_status(pod, &PatchParams::default(), &patch)
            .await;
    }

    /// What the program does, and its exit code.
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

fn status(state: &serde_json::Value) -> serde_json::Value {
    json!({"name": "sync", "image": "x", "imageID": "x", "ready": false, "restartCount": 0, "state": state})
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
