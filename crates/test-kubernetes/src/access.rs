//! Who a test is to the API server: the admin, or any ServiceAccount.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client, Config};
use secrecy::SecretString;

use crate::{Error, Result, Server};

/// Where the API server is, and the admin's token.
#[derive(Debug)]
pub(crate) struct Access {
    address: http::Uri,
    authority: Vec<u8>,
    token: SecretString,
    kubeconfig: PathBuf,
}

impl Access {
    /// Makes the admin's token and writes it to `tokens.csv` and `kubeconfig`; `authority` is
    /// `ca.pem` in DER.
    pub(crate) fn write(folder: &Path, port: u16, authority: Vec<u8>) -> Result<Self> {
        let token = uuid::Uuid::new_v4().simple().to_string();
        let admin = format!("{token},admin,admin,\"system:masters\"\n");
        std::fs::write(folder.join("tokens.csv"), admin)?;
        let address = format!("https://127.0.0.1:{port}");
        let kubeconfig = folder.join("kubeconfig");
        let content = format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters: [{{name: test, cluster: {{server: \"{address}\", certificate-authority: ca.pem}}}}]\n\
             users: [{{name: admin, user: {{token: {token}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]\n\
             current-context: test\n"
        );
        std::fs::write(&kubeconfig, content)?;
        Ok(Self {
            address: address.parse().map_err(std::io::Error::other)?,
            authority,
            token: token.into(),
            kubeconfig,
        })
    }

    pub(crate) fn admin(&self) -> Config {
        self.with_token(self.token.clone())
    }

    fn with_token(&self, token: SecretString) -> Config {
        let mut config = Config::new(self.address.clone());
        config.root_cert = Some(vec![self.authority.clone()]);
        config.auth_info.token = Some(token);
        config
    }
}

impl Server {
    /// How the admin, who may do anything, reaches the API server.
    pub fn config(&self) -> Config {
        self.access.admin()
    }

    /// The file for the admin's `kubectl` and `helm`. It is gone with the server.
    pub fn kubeconfig(&self) -> &Path {
        &self.access.kubeconfig
    }

    /// The admin's client. Each test makes its own: it works in the runtime that made it.
    ///
    /// # Errors
    /// [`Error::Refused`] when TLS cannot be prepared.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.config())?)
    }

    /// How a ServiceAccount that exists reaches the API server, with a token as its pods get.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such ServiceAccount.
    pub async fn config_of(&self, namespace: &str, service_account: &str) -> Result<Config> {
        let token = self.token_of(namespace, service_account, None).await?;
        Ok(self.access.with_token(token))
    }

    /// The client of a ServiceAccount that exists.
    ///
    /// # Errors
    /// As [`Server::config_of`].
    pub async fn client_of(&self, namespace: &str, service_account: &str) -> Result<Client> {
        Ok(Client::try_from(
            self.config_of(namespace, service_account).await?,
        )?)
    }

    /// A token of a ServiceAccount that exists, for the API server itself or another audience.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such ServiceAccount.
    pub async fn token_of(
        &self,
        namespace: &str,
        service_account: &str,
        audience: Option<&str>,
    ) -> Result<SecretString> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: audience.map(|audience| vec![audience.to_owned()]),
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(service_account, &PostParams::default(), &request)
            .await?;
        let token = answer.status.and_then(|status| status.token);
        token.map(SecretString::from).ok_or_else(|| Error::Failed {
            program: "kube-apiserver".to_owned(),
            why: "it answered a request for a token without one".to_owned(),
        })
    }
}
