//! The connection of a test: its Secret and its run, as they stand before it goes.

use crd::PostHogConnection;
use domain::ConnectionName;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Site, eventually, eventually_some};

/// Nobody listens there: PostHog is gone in all of these tests.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A connection of the site's workspace.
pub(crate) struct Connection<'a> {
    pub(crate) site: &'a Site,
    pub(crate) name: String,
}

impl<'a> Connection<'a> {
    /// Creates it, reading the entry `apiKey` of Secret `secret`; `spec` is laid over the usual one.
    pub(crate) async fn create(site: &'a Site, name: &str, secret: &str, spec: Value) -> Self {
        let mut wanted = json!({
            "host": NOWHERE,
            "projectId": 4242,
            "apiKeySecretRef": {"name": secret, "key": "apiKey"},
        });
        for (field, value) in spec.as_object().into_iter().flatten() {
            wanted[field] = value.clone();
        }
        let connection = json!({"metadata": {"name": name}, "spec": wanted});
        let connection: PostHogConnection = serde_json::from_value(connection).unwrap();
        site.connections()
            .create(&PostParams::default(), &connection)
            .await
            .unwrap();
        Self {
            site,
            name: name.to_owned(),
        }
    }

    /// The same once the operator has written down that it lives.
    pub(crate) async fn settled(self) -> Self {
        eventually("the store has the connection", async || {
            self.is_read().await
        })
        .await;
        self
    }

    /// Its name.
    pub(crate) fn full_name(&self) -> ConnectionName {
        ConnectionName::new(&self.site.workspace, &self.name)
    }

    /// As the cluster has it.
    pub(crate) async fn found(&self) -> Option<PostHogConnection> {
        self.site.connections().get_opt(&self.name).await.unwrap()
    }

    /// Whether readers are answered from it.
    pub(crate) async fn is_read(&self) -> bool {
        let record = self.site.store.connection(&self.full_name()).await.unwrap();
        record.is_some_and(|record| record.deleted_at.is_none())
    }

    /// Makes a run of it, as the operator makes them: a Job with a Secret that it owns. Returns the name
    /// of both.
    pub(crate) async fn run(&self) -> String {
        let uid = self.found().await.unwrap().uid().unwrap();
        let name = format!("{}-{}-refresh-1", self.name, &uid[..8]);
        let labels = json!({
            "app.kubernetes.io/managed-by": "ordinary-posthog",
            "posthog.ordinary.dev/connection-namespace": self.site.workspace,
            "posthog.ordinary.dev/connection-name": self.name,
            "posthog.ordinary.dev/connection-uid": uid,
            "posthog.ordinary.dev/kind": "refresh",
            "posthog.ordinary.dev/tick": "1",
        });
        let container = json!({"name": "sync", "image": "registry.invalid/ordinary-posthog:test"});
        let annotations = json!({
            "posthog.ordinary.dev/connection": self.full_name().to_string(),
        });
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
        }))
        .unwrap();
        let job = self
            .site
            .jobs()
            .create(&PostParams::default(), &job)
            .await
            .unwrap();
        let owner = json!({
            "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job.uid(),
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
            "stringData": {"api-key": "phx_test"},
        });
        // The operator that watches may have made it just now: a Job without its Secret gets one.
        let params = PatchParams::apply("test").force();
        self.site
            .own_secrets()
            .patch(&name, &params, &Patch::Apply(secret))
            .await
            .unwrap();
        name
    }

    /// Changes it by these operations.
    pub(crate) async fn patch(&self, operations: Value) {
        let operations =
            Patch::<PostHogConnection>::Json(serde_json::from_value(operations).unwrap());
        self.site
            .connections()
            .patch(&self.name, &PatchParams::default(), &operations)
            .await
            .unwrap();
    }

    /// Deletes it; returns once that was taken, not once it is gone.
    pub(crate) async fn delete(&self) {
        self.site
            .connections()
            .delete(&self.name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Returns once it is gone.
    pub(crate) async fn gone(&self) {
        eventually("the connection is gone", async || {
            self.found().await.is_none()
        })
        .await;
    }

    /// Deletes it and returns once it is gone.
    pub(crate) async fn disconnect(&self) {
        self.delete().await;
        self.gone().await;
    }

    /// Takes it away while no operator is there.
    pub(crate) async fn vanish(&self) {
        self.delete().await;
        let nobody = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
        self.patch(nobody).await;
        self.gone().await;
    }

    /// The notes of such Events about its end; waits for the first.
    pub(crate) async fn surely_told(&self, reason: &str) -> Vec<String> {
        eventually_some(reason, async || {
            Some(self.told(reason).await).filter(|told| !told.is_empty())
        })
        .await
    }

    /// The notes of such Events about its end, as far as there are any yet.
    pub(crate) async fn told(&self, reason: &str) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.site.client.clone(), &self.site.workspace);
        let all = events.list(&ListParams::default()).await.unwrap();
        let ours = all.items.into_iter().filter(|event| {
            let regarding = event
                .regarding
                .as_ref()
                .and_then(|about| about.name.as_ref());
            event.reason.as_deref() == Some(reason) && regarding == Some(&self.name)
        });
        ours.filter_map(|event| event.note).collect()
    }
}
