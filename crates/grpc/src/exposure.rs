//! Who may connect: anybody on loopback, else only who shows a certificate.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::server::ServeError;

/// Mutual TLS: what the server shows, and who must have signed what its callers show.
#[derive(Debug, Clone)]
pub struct MutualTls {
    /// The server's certificate chain, PEM.
    pub certificate: String,
    /// The server's private key, PEM.
    pub key: SecretString,
    /// The authority that must have signed a caller's certificate, PEM.
    pub client_ca: String,
}

impl MutualTls {
    /// Whether a server could show them.
    ///
    /// # Errors
    /// [`ServeError::Tls`] when they are no certificates, or the key is not the certificate's own.
    pub fn check(&self) -> Result<(), ServeError> {
        match Server::builder().tls_config(self.config()) {
            Ok(_) => Ok(()),
            Err(error) => Err(ServeError::Tls(error)),
        }
    }

    pub(crate) fn config(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(
                &self.certificate,
                self.key.expose_secret(),
            ))
            .client_ca_root(Certificate::from_pem(&self.client_ca))
    }
}

/// Refuses to answer strangers: without mutual TLS only this machine may reach the server.
pub fn check_exposure(address: SocketAddr, tls: Option<&MutualTls>) -> Result<(), ServeError> {
    if tls.is_some() || address.ip().to_canonical().is_loopback() {
        Ok(())
    } else {
        Err(ServeError::Exposed { address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_certificates() {
        let refused = |address: &str| check_exposure(address.parse().unwrap(), None).is_err();
        for loopback in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(!refused(loopback), "{loopback}");
        }
        for reachable in ["0.0.0.0:1", "[::]:1", "10.0.0.7:1", "[::ffff:10.0.0.7]:1"] {
            assert!(refused(reachable), "{reachable}");
        }
    }
}
