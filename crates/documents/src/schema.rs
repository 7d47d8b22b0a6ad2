//! The schemas of the kinds that are read. The connection's own is the one a cluster gets.

use std::sync::LazyLock;

use kube::CustomResourceExt;
use serde_json::{Value, json};

/// A `PostHogConnection`, with the spec of its CustomResourceDefinition.
pub(crate) static CONNECTION: LazyLock<Value> = LazyLock::new(|| {
    let definition = json!(crd::PostHogConnection::crd());
    let spec = definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .cloned()
        .unwrap_or_default();
    let mut schema = object(json!({"spec": spec, "status": anything()}));
    schema["required"] = json!(["spec"]);
    schema
});

/// A `Secret`.
pub(crate) static SECRET: LazyLock<Value> = LazyLock::new(|| {
    object(json!({
        "type": text(),
        "immutable": {"type": "boolean"},
        "data": texts(),
        "stringData": texts(),
    }))
});

/// A `Namespace`.
pub(crate) static NAMESPACE: LazyLock<Value> =
    LazyLock::new(|| object(json!({"spec": anything(), "status": anything()})));

fn object(mut properties: Value) -> Value {
    properties["apiVersion"] = text();
    properties["kind"] = text();
    properties["metadata"] = metadata();
    json!({"type": "object", "properties": properties})
}

/// ObjectMeta of Kubernetes: what matters here by type, what `kubectl get -o yaml` adds by name.
fn metadata() -> Value {
    let mut properties = json!({
        "name": text(),
        "namespace": text(),
        "labels": texts(),
        "annotations": texts(),
    });
    for field in [
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        properties[field] = anything();
    }
    json!({"type": "object", "properties": properties})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn texts() -> Value {
    json!({"type": "object", "additionalProperties": text()})
}

fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}
