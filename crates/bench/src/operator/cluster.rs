//! A control plane with our kind, and a workspace for each connection.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crd::PostHogConnection;
use futures_util::{TryStreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, CustomResourceExt};
use secrecy::ExposeSecret;
use serde_json::json;
use test_kubernetes::Server;

use super::connections::KEY;
use crate::Outcome;

/// The operator's own namespace.
pub(super) const OWN: &str = "ordinary-system";
/// The ServiceAccount of the operator.
pub(super) const OPERATOR: &str = "operator";
/// The ServiceAccount of the bare loop.
pub(super) const BARE: &str = "bare";
/// Requests at once while things are prepared, and of whoever applies the connections.
pub(super) const AT_ONCE: usize = 32;

/// A control plane that keeps account of who writes.
pub(super) struct Cluster {
    pub(super) server: Server,
    /// The admin's.
    pub(super) client: Client,
}

impl Cluster {
    /// Starts one with so many workspaces on Starter, each with a Secret that holds a key.
    pub(super) async fn start(workspaces: usize) -> Outcome<Self> {
        let server = Server::start_audited()?;
        server.install(&PostHogConnection::crd()).await?;
        let client = server.client()?;
        let cluster = Self { server, client };
        cluster.workspace(OWN, json!({})).await?;
        for account in [OPERATOR, BARE] {
            cluster.admit(account).await?;
        }
        stream::iter((0..workspaces).map(Ok))
            .try_for_each_concurrent(AT_ONCE, |number| cluster.tenant(number))
            .await?;
        cluster.settled(workspaces).await?;
        Ok(cluster)
    }

    /// A client of a ServiceAccount, and the file by which a program is it.
    pub(super) async fn client_of(&self, account: &str) -> Outcome<Client> {
        Ok(self.server.client_of(OWN, account).await?)
    }

    /// Writes the file by which a program is a ServiceAccount.
    pub(super) async fn kubeconfig(&self, account: &str, folder: &Path) -> Outcome<PathBuf> {
        let token = self.server.token_of(OWN, account, None).await?;
        let authority = self.server.kubeconfig().with_file_name("ca.pem");
        let address = self.server.config().cluster_url;
        let content = format!(
            "apiVersion: v1
kind: Config
clusters: [{{name: bench, cluster: {{server: \"{address}\", certificate-authority: \"{}\"}}}}]
users: [{{name: bench, user: {{token: \"{}\"}}}}]
contexts: [{{name: bench, context: {{cluster: bench, user: bench, namespace: {OWN}}}}}]
current-context: bench
",
            authority.display(),
            token.expose_secret(),
        );
        let file = folder.join(format!("{account}.kubeconfig"));
        std::fs::write(&file, content)?;
        Ok(file)
    }

    /// What a ServiceAccount is to the audit log.
    pub(super) fn username(account: &str) -> String {
        format!("system:serviceaccount:{OWN}:{account}")
    }

    async fn tenant(&self, number: usize) -> Outcome<()> {
        let name = workspace(number);
        self.workspace(&name, json!({"ordinary.dev/plan": "starter"}))
            .await?;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &name);
        let secret = json!({"metadata": {"name": "posthog"}, "stringData": {"apiKey": KEY}});
        secrets
            .create(&PostParams::default(), &serde_json::from_value(secret)?)
            .await?;
        Ok(())
    }

    async fn workspace(&self, name: &str, labels: serde_json::Value) -> Outcome<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace = json!({"metadata": {"name": name, "labels": labels}});
        namespaces
            .create(&PostParams::default(), &serde_json::from_value(namespace)?)
            .await?;
        Ok(())
    }

    /// What rights cost is not measured here: the account has all.
    async fn admit(&self, account: &str) -> Outcome<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), OWN);
        let made = json!({"metadata": {"name": account}});
        accounts
            .create(&PostParams::default(), &serde_json::from_value(made)?)
            .await?;
        let bindings: Api<ClusterRoleBinding> = Api::all(self.client.clone());
        let binding = json!({
            "metadata": {"name": account},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": OWN}],
        });
        bindings
            .create(&PostParams::default(), &serde_json::from_value(binding)?)
            .await?;
        Ok(())
    }

    /// Waits until the controllers of Kubernetes have given each workspace what every namespace gets.
    async fn settled(&self, workspaces: usize) -> Outcome<()> {
        let accounts: Api<ServiceAccount> = Api::all(self.client.clone());
        let authorities: Api<ConfigMap> = Api::all(self.client.clone());
        loop {
            let named = |name| ListParams::default().fields(&format!("metadata.name={name}"));
            let there = accounts.list_metadata(&named("default")).await?.items.len();
            let known = authorities
                .list_metadata(&named("kube-root-ca.crt"))
                .await?;
            if there.min(known.items.len()) >= workspaces {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// The name of a workspace.
pub(super) fn workspace(number: usize) -> String {
    format!("shop-{number}")
}
