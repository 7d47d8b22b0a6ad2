//! The files of mutual TLS: read at the start, and again whenever they change, for certificates are
//! renewed while the server runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use grpc::MutualTls;
use secrecy::ExposeSecret;

use crate::exit::{Exit, Failure};
use crate::settings::ListenSettings;

/// From one look at the files to the next. A mounted Secret follows within a minute anyway.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where certificate, key and the callers' authority are.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
}

impl Certificates {
    /// The files that the settings name, if they ask for TLS.
    pub(crate) fn of(settings: &ListenSettings) -> Option<Self> {
        Some(Self {
            certificate: settings.grpc_tls_cert.clone()?,
            key: settings.grpc_tls_key.clone()?,
            client_ca: settings.grpc_tls_client_ca.clone()?,
        })
    }

    /// What is in the files now.
    ///
    /// # Errors
    /// When one cannot be read, or they do not belong together.
    pub(crate) fn read(&self) -> Result<MutualTls, Failure> {
        let read = |path: &Path, flag: &str| {
            std::fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    Exit::Configuration,
                    format!("{flag} {} cannot be read: {error}.", path.display()),
                )
            })
        };
        let tls = MutualTls {
            certificate: read(&self.certificate, "--grpc-tls-cert")?,
            key: read(&self.key, "--grpc-tls-key")?.into(),
            client_ca: read(&self.client_ca, "--grpc-tls-client-ca")?,
        };
        tls.check()
            .map_err(|error| Failure::new(Exit::Configuration, error))?;
        Ok(tls)
    }

    /// What the files hold once that can be used and is no longer `current`.
    pub(crate) async fn renewed(&self, current: &MutualTls) -> MutualTls {
        let mut told = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.read() {
                Ok(found) if !is_same(&found, current) => return found,
                Ok(_) => told = false,
                // Files that are replaced one after the other pass through this.
                Err(failure) if !told => {
                    told = true;
                    tracing::warn!(error = %failure, "The changed certificates for gRPC cannot be used; the ones before stay in use.");
                }
                Err(_) => {}
            }
        }
    }
}

fn is_same(one: &MutualTls, other: &MutualTls) -> bool {
    one.certificate == other.certificate
        && one.client_ca == other.client_ca
        && one.key.expose_secret() == other.key.expose_secret()
}
