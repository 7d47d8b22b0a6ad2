//! Connections as they are written, and what the API server answers.

use crd::PostHogConnection;
use http::Request;
use kube::{Client, CustomResourceExt};
use serde_json::{Value, json};
use test_kubernetes::Server;

/// Who looks at fields that the schema does not know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UnknownFields {
    /// They are refused, as kubectl asks for.
    Strict,
    /// They are dropped without a word: `--validate=false`.
    Ignore,
}

/// A namespace of the test's own, where connections can be made.
pub(crate) struct Tenant {
    pub(crate) server: &'static Server,
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// One, with the CustomResourceDefinition installed.
pub(crate) async fn tenant() -> Tenant {
    let server = Server::shared().unwrap();
    server.install(&PostHogConnection::crd()).await.unwrap();
    Tenant {
        server,
        client: server.client().unwrap(),
        namespace: server.namespace("crd", &[]).await.unwrap(),
    }
}

/// A connection with nothing but what must be there.
pub(crate) fn minimal(name: &str) -> Value {
    json!({
        "apiVersion": crd::API_VERSION,
        "kind": crd::KIND,
        "metadata": {"name": name},
        "spec": {
            "host": "https://eu.posthog.com",
            "projectId": 4242,
            "apiKeySecretRef": {"name": "posthog"},
        },
    })
}

/// The same with a value at a path such as `spec.backfill.days`.
pub(crate) fn with(name: &str, path: &str, value: Value) -> Value {
    let mut connection = minimal(name);
    set(&mut connection, path, value);
    connection
}

/// Puts a value at a path, even a null.
pub(crate) fn set(object: &mut Value, path: &str, value: Value) {
    let place = path
        .split('.')
        .fold(object, |object, field| &mut object[field]);
    *place = value;
}

/// What is at a path, such as `spec.backfill.days`.
pub(crate) fn get<'v>(object: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(object, |object, field| &object[field])
}

impl Tenant {
    fn path(&self, rest: &str) -> String {
        let (version, namespace) = (crd::API_VERSION, &self.namespace);
        format!("/apis/{version}/namespaces/{namespace}/posthogconnections{rest}")
    }

    /// Creates a connection: what is stored, or in which words it is refused.
    pub(crate) async fn create(
        &self,
        connection: &Value,
        unknown: UnknownFields,
    ) -> Result<Value, String> {
        let path = self.path(&format!("?fieldValidation={unknown:?}"));
        self.send("POST", &path, "application/json", connection)
            .await
    }

    /// Merges a change into a connection, or with `/status` behind its name into its status.
    pub(crate) async fn merge(&self, name: &str, change: &Value) -> Result<Value, String> {
        let path = self.path(&format!("/{name}"));
        self.send("PATCH", &path, "application/merge-patch+json", change)
            .await
    }

    /// Server-side apply as `manager`, which forces nothing.
    pub(crate) async fn apply(
        &self,
        name: &str,
        manager: &str,
        connection: &Value,
    ) -> Result<Value, String> {
        let path = self.path(&format!("/{name}?fieldManager={manager}"));
        self.send("PATCH", &path, "application/apply-patch+yaml", connection)
            .await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(serde_json::to_vec(body).unwrap())
            .unwrap();
        match self.client.request(request).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs `kubectl` in the tenant's namespace, with `input` as its standard input, and returns
    /// what it prints; fails when it does.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        use std::io::Write;
        use std::process::Stdio;
        let mut kubectl = self.server.kubectl();
        kubectl
            .arg("--namespace")
            .arg(&self.namespace)
            .args(arguments);
        let mut running = kubectl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        running
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let done = running.wait_with_output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        let complained = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "kubectl {arguments:?}: {said}{complained}"
        );
        said
    }
}
