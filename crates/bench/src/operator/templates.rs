//! What the operator wrote for one connection, to be written again for others by the bare loop.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::cluster::{Cluster, OWN, workspace};
use super::connections::{NAME, api};
use crate::Outcome;

/// What the API server adds to a Job by itself.
const DEFAULTED: [&str; 14] = [
    "completionMode",
    "completions",
    "dnsPolicy",
    "imagePullPolicy",
    "manualSelector",
    "parallelism",
    "podReplacementPolicy",
    "schedulerName",
    "selector",
    "suspend",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "controller-uid",
    "job-name",
];

/// What was written for one connection.
pub(super) struct Templates {
    pub(super) finalizers: Vec<String>,
    /// In the order in which they were written.
    pub(super) statuses: Vec<Value>,
    pub(super) job: Job,
    pub(super) secret: Secret,
    pub(super) events: Vec<Event>,
}

impl Templates {
    /// Reads it from the cluster; `statuses` were seen as they came.
    pub(super) async fn read(
        cluster: &Cluster,
        number: usize,
        statuses: Vec<Value>,
    ) -> Outcome<Self> {
        let client = &cluster.client;
        let connection = api(client, number).get(NAME).await?;
        let uid = connection.uid().unwrap_or_default();
        let mine =
            ListParams::default().labels(&format!("posthog.ordinary.dev/connection-uid={uid}"));
        let jobs: Api<Job> = Api::namespaced(client.clone(), OWN);
        let mut job = jobs.list(&mine).await?.items.pop().ok_or("no Job")?;
        let secrets: Api<Secret> = Api::namespaced(client.clone(), OWN);
        let mut secret = secrets.get(&job.name_any()).await?;
        let events: Api<Event> = Api::namespaced(client.clone(), &workspace(number));
        let mut events = events.list(&ListParams::default()).await?.items;
        events.retain(|event| {
            let about = event
                .regarding
                .as_ref()
                .and_then(|about| about.uid.as_ref());
            about == Some(&uid)
        });
        job.status = None;
        job.metadata = own(&job.metadata);
        secret.metadata = own(&secret.metadata);
        for event in &mut events {
            event.metadata = own(&event.metadata);
        }
        let mut job = serde_json::to_value(job)?;
        strip(&mut job);
        Ok(Self {
            finalizers: connection.finalizers().to_vec(),
            statuses,
            job: serde_json::from_value(job)?,
            secret,
            events,
        })
    }
}

/// Of an object's metadata what its writer wrote.
fn own(meta: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        labels: meta.labels.clone(),
        annotations: meta.annotations.clone(),
        ..ObjectMeta::default()
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_defaulted =
                |name: &str| DEFAULTED.contains(&name) || name.starts_with("batch.kubernetes.io/");
            fields.retain(|name, _| !is_defaulted(name));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
