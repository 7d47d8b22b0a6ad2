//! Plays the kubelet of a namespace: "runs" its pods in this process and reports on them as a node
//! would, so that the real Job controller goes on from there.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// From one look for a Secret that a pod waits for to the next.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running kubelet. Dropped, it takes no more pods; what runs on it ends by itself.
#[derive(Debug)]
pub struct Kubelet {
    task: JoinHandle<()>,
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A pod that begins to run.
#[derive(Debug)]
pub struct Started {
    /// The pod.
    pub pod: Pod,
    /// The Secret that it mounts, if it mounts one.
    pub secret: Option<Secret>,
    /// Cancelled when the pod is deleted: a node would send SIGTERM.
    pub cancel: CancellationToken,
}

impl Kubelet {
    /// Runs `program` for each pod of the namespace, once the Secret is there that it mounts, if any; the
    /// number that it comes to is the exit code of the pod's first container.
    pub fn start<P, F>(client: &Client, namespace: &str, program: P) -> Self
    where
        P: Fn(Started) -> F + Send + Sync + 'static,
        F: Future<Output = i32> + Send + 'static,
    {
        let node = Node {
            pods: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client.clone(), namespace),
        };
        Self {
            task: tokio::spawn(node.run(Arc::new(program))),
        }
    }
}

#[derive(Clone)]
struct Node {
    pods: Api<Pod>,
    secrets: Api<Secret>,
}

impl Node {
    async fn run<P, F>(self, program: Arc<P>)
    where
        P: Fn(Started) -> F + Send + Sync + 'static,
        F: Future<Output = i32> + Send + 'static,
    {
        let mut cancels: HashMap<String, CancellationToken> = HashMap::new();
        let events = watcher(self.pods.clone(), watcher::Config::default()).default_backoff();
        let mut events = pin!(events);
        loop {
            match events.try_next().await {
                Ok(Some(Event::Apply(pod) | Event::InitApply(pod))) => {
                    let is_going = pod.metadata.deletion_timestamp.is_some();
                    let uid = pod.uid().unwrap_or_default();
                    if is_going && let Some(cancel) = cancels.get(&uid) {
                        cancel.cancel();
                    }
                    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
                    if !is_going && phase == Some("Pending") && !cancels.contains_key(&uid) {
                        let cancel = CancellationToken::new();
                        cancels.insert(uid, cancel.clone());
                        let (node, program) = (self.clone(), Arc::clone(&program));
                        tokio::spawn(async move { node.pod(pod, cancel, &*program).await });
                    }
                }
                Ok(Some(Event::Delete(pod))) => {
                    if let Some(cancel) = cancels.remove(&pod.uid().unwrap_or_default()) {
                        cancel.cancel();
                    }
                }
                Ok(Some(Event::Init | Event::InitDone)) | Err(_) => {}
                Ok(None) => return,
            }
        }
    }

    async fn pod<P, F>(&self, pod: Pod, cancel: CancellationToken, program: &P)
    where
        P: Fn(Started) -> F,
        F: Future<Output = i32>,
    {
        let container = pod
            .spec
            .as_ref()
            .map(|spec| spec.containers[0].name.clone());
        let container = container.unwrap_or_default();
        let name = pod.name_any();
        let secret = match secret_of(&pod) {
            None => None,
            Some(secret) => match self.await_secret(&secret, &cancel).await {
                None => return,
                found => found,
            },
        };
        let running = json!({"running": {"startedAt": null}});
        self.report(&name, "Running", &container, &running).await;
        let code = program(Started {
            pod,
            secret,
            cancel,
        })
        .await;
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        let ended =
            json!({"terminated": {"exitCode": code, "finishedAt": null, "startedAt": null}});
        self.report(&name, phase, &container, &ended).await;
    }

    /// The Secret once it is there; nothing when the pod that waits for it is deleted before.
    async fn await_secret(&self, name: &str, cancel: &CancellationToken) -> Option<Secret> {
        while !cancel.is_cancelled() {
            if let Ok(Some(secret)) = self.secrets.get_opt(name).await {
                return Some(secret);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }

    async fn report(&self, pod: &str, phase: &str, container: &str, state: &Value) {
        let is_ready = if phase == "Running" { "True" } else { "False" };
        let status = json!({
            "phase": phase,
            "conditions": [{"type": "Ready", "status": is_ready}],
            "containerStatuses": [{
                "name": container, "image": "x", "imageID": "x", "ready": false,
                "restartCount": 0, "state": state,
            }],
        });
        let patch = Patch::Merge(json!({"status": status}));
        // A pod that was deleted meanwhile is reported on by nobody.
        let _ = self
            .pods
            .patch_status(pod, &PatchParams::default(), &patch)
            .await;
    }
}

/// The name of the Secret that the pod mounts.
fn secret_of(pod: &Pod) -> Option<String> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    volumes
        .iter()
        .find_map(|volume| volume.secret.as_ref()?.secret_name.clone())
}
