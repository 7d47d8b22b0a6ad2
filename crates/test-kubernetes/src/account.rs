//! A client with certain rights and no others.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::{Error, Result, Server};

impl Server {
    /// The client of a new ServiceAccount of the namespace, which may do what `rules` of a ClusterRole
    /// say, wherever in the cluster.
    ///
    /// # Errors
    /// [`Error::Refused`] by the API server, [`Error::Failed`] for rules that are none.
    pub async fn client_with(&self, namespace: &str, rules: Value) -> Result<Client> {
        let client = self.client()?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let account: ServiceAccount = object(json!({"metadata": {"generateName": "test-"}}))?;
        let account = accounts.create(&PostParams::default(), &account).await?;
        let roles: Api<ClusterRole> = Api::all(client.clone());
        let role: ClusterRole =
            object(json!({"metadata": {"generateName": "test-"}, "rules": rules}))?;
        let role = roles.create(&PostParams::default(), &role).await?;
        let bindings: Api<ClusterRoleBinding> = Api::all(client);
        let binding: ClusterRoleBinding = object(json!({
            "metadata": {"name": role.name_any()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role.name_any()},
            "subjects": [{"kind": "ServiceAccount", "name": account.name_any(), "namespace": namespace}],
        }))?;
        bindings.create(&PostParams::default(), &binding).await?;
        self.client_of(namespace, &account.name_any()).await
    }
}

fn object<T: serde::de::DeserializeOwned>(written: Value) -> Result<T> {
    serde_json::from_value(written).map_err(|error| Error::Failed {
        program: "reading rules".to_owned(),
        why: error.to_string(),
    })
}
