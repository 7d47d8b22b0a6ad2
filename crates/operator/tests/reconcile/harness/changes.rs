//! What merchants and administrators do in a corner.

use crd::PostHogConnection;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{Corner, PROJECT};

impl Corner {
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

    /// Applies a connection with the smallest spec.
    pub(crate) async fn connect(&self, name: &str) -> PostHogConnection {
        self.apply(name, self.spec(json!({}))).await
    }

    /// Asks for a refresh in these words.
    pub(crate) async fn ask(&self, name: &str, words: &str) {
        let annotations = json!({(crd::REFRESH_REQUESTED_ANNOTATION): words});
        self.patch(name, json!({"metadata": {"annotations": annotations}}))
            .await;
    }

    /// Merges a patch into a connection.
    pub(crate) async fn patch(&self, name: &str, patch: Value) {
        self.connections()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Deletes a connection; returns once that was taken, not once it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        let connections = self.connections();
        connections
            .delete(name, &DeleteParams::default())
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

    /// Deletes the tenant's Secret.
    pub(crate) async fn delete_secret(&self, name: &str) {
        let secrets = self.secrets(&self.tenant);
        secrets
            .delete(name, &DeleteParams::default())
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
