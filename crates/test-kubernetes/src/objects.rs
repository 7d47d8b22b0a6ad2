//! What most tests need in a cluster before they begin.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::runtime::{conditions, wait::await_condition};
use kube::{Api, ResourceExt};

use crate::{Error, Result, Server};

/// Who owns the fields of what [`Server::install`] applies.
const MANAGER: &str = "test-kubernetes";

impl Server {
    /// Makes a namespace of the caller's own, with these labels, and returns its name, which
    /// begins with `prefix`.
    ///
    /// # Errors
    /// [`Error::Refused`] by the API server.
    pub async fn namespace(&self, prefix: &str, labels: &[(&str, &str)]) -> Result<String> {
        let labels: BTreeMap<String, String> = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let namespace = Namespace {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let all: Api<Namespace> = Api::all(self.client()?);
        let made = all.create(&PostParams::default(), &namespace).await?;
        Ok(made.name_any())
    }

    /// Applies a CustomResourceDefinition and waits until its kind is served. The kind is there
    /// for every test of the process, and installing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] by the API server, [`Error::Failed`] when it does not serve the kind.
    pub async fn install(&self, definition: &CustomResourceDefinition) -> Result<()> {
        let name = definition.name_any();
        let client = self.client()?;
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let manager = PatchParams::apply(MANAGER).force();
        definitions
            .patch(&name, &manager, &Patch::Apply(definition))
            .await?;
        let failed = |why: String| Error::Failed {
            program: format!("installing {name}"),
            why,
        };
        let established = await_condition(definitions, &name, conditions::is_crd_established());
        tokio::time::timeout(Duration::from_secs(60), established)
            .await
            .map_err(|_| failed("it is not established after a minute".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        for version in &definition.spec.versions {
            let kind = ApiResource {
                group: definition.spec.group.clone(),
                version: version.name.clone(),
                api_version: format!("{}/{}", definition.spec.group, version.name),
                kind: definition.spec.names.kind.clone(),
                plural: definition.spec.names.plural.clone(),
            };
            let objects: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
            // The handler of the new kind follows the condition by some milliseconds.
            while let Err(error) = objects.list(&ListParams::default().limit(1)).await {
                match error {
                    kube::Error::Api(status) if status.code == 404 => {}
                    other => return Err(other.into()),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// `kubectl` as the admin.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = self.folder.command(self.binaries.program("kubectl"));
        kubectl.env("KUBECONFIG", self.kubeconfig());
        // Its cache of what the server serves, which is this server's alone.
        kubectl.arg(format!(
            "--cache-dir={}",
            self.folder.path().join("kubectl").display()
        ));
        kubectl
    }
}
