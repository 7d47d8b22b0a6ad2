//! The HTTP client that every connection of a process shares: TLS roots, time limits, and the
//! policy of which addresses may be asked at all.

mod address;
mod policy;
mod traffic;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::{Url, redirect};

pub(crate) use self::policy::Refused;
use self::policy::{GuardedResolver, Policy};
pub(crate) use self::traffic::Traffic;
use crate::error::Error;
use domain::ApiHost;
use domain::sync::RunTotals;

/// How to set up [`Http`].
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// A PEM file of further certificate authorities beside the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Host names or addresses that may be plain http or lead to a private or loopback address.
    pub allow_insecure_hosts: Vec<String>,
    /// Time for a connection and its TLS handshake.
    pub connect_timeout: Duration,
    /// Time from the request to the answer's head. PostHog queues a query for up to 30 s and runs it
    /// for up to 60 s before it answers anything (POSTHOG.md 5.7).
    pub answer_timeout: Duration,
    /// Time between two pieces of an answer's body.
    pub idle_timeout: Duration,
    /// Time for a request and its whole answer.
    pub total_timeout: Duration,
    /// The first pause before asking again; it doubles each time. After a rate limit that names no time
    /// it is forty times as long.
    pub backoff: Duration,
    /// The most bytes an answer may have, decompressed.
    pub max_answer: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            ca_bundle: None,
            allow_insecure_hosts: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(100),
            idle_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(300),
            backoff: Duration::from_millis(500),
            max_answer: 256 * 1024 * 1024,
        }
    }
}

/// The process's HTTP client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    pub(crate) client: reqwest::Client,
    /// Takes bodies as they come: of a file of many gzip members the other would take the first alone,
    /// and call that the whole.
    pub(crate) files: reqwest::Client,
    pub(crate) config: Arc<HttpConfig>,
    pub(crate) traffic: Arc<Traffic>,
    policy: Arc<Policy>,
}

impl Http {
    /// Sets the client up. It follows no redirect, uses no proxy (either would take the key past the
    /// address policy), and verifies certificates against the system's roots and the bundle's.
    ///
    /// # Errors
    /// [`Error::CaBundle`] when the bundle cannot be read, [`Error::Setup`] when TLS cannot start.
    pub fn new(config: HttpConfig) -> Result<Self, Error> {
        // An error says that the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(Policy::new(&config.allow_insecure_hosts));
        let roots = match &config.ca_bundle {
            Some(path) => read_bundle(path)?,
            None => Vec::new(),
        };
        let build = |unpacks: bool| {
            reqwest::Client::builder()
                .user_agent(concat!("ordinary-posthog/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .gzip(unpacks)
                .connect_timeout(config.connect_timeout)
                .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&policy))))
                .tls_certs_merge(roots.clone())
                .build()
                .map_err(|error| Error::Setup {
                    reason: innermost(&error),
                })
        };
        Ok(Self {
            client: build(true)?,
            files: build(false)?,
            config: Arc::new(config),
            traffic: Arc::default(),
            policy,
        })
    }

    /// Whether the policy lets this host be asked, as far as its text tells; names are resolved, and
    /// their addresses judged, only when a connection is made.
    ///
    /// # Errors
    /// [`Error::HostRefused`] says what is forbidden and how to allow it.
    pub fn check_host(&self, host: &ApiHost) -> Result<(), Error> {
        self.policy.check(host)
    }

    /// Whether the policy lets a file be fetched from this address, as far as its text tells; else why
    /// not, and how to allow it.
    pub(crate) fn check_file_address(&self, address: &Url) -> Result<(), String> {
        self.policy.check_file_address(address)
    }

    /// Requests, bytes received and bytes read of everybody who asks through this client, by how each
    /// request ended: `complete`, [`Error::reason`], or `Abandoned` when nobody waited for its end. The
    /// other fields are 0.
    pub fn asked(&self) -> Vec<(&'static str, RunTotals)> {
        self.traffic.by_outcome()
    }
}

fn read_bundle(path: &Path) -> Result<Vec<Certificate>, Error> {
    let refuse = |reason: String| Error::CaBundle {
        path: path.display().to_string(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|error| refuse(innermost(&error)))?;
    if roots.is_empty() {
        return Err(refuse("it holds no PEM certificate".to_owned()));
    }
    Ok(roots)
}

/// The last cause of an error: the only part that says what really happened.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_missing_or_holds_no_certificate_is_named() {
        for (path, part) in [
            ("no-such-file.pem", "No such file"),
            ("Cargo.toml", "no PEM"),
        ] {
            let config = HttpConfig {
                ca_bundle: Some(PathBuf::from(path)),
                ..HttpConfig::default()
            };
            let error = Http::new(config).err().map(|error| error.to_string());
            assert!(
                error
                    .as_ref()
                    .is_some_and(|text| text.contains(path) && text.contains(part)),
                "{error:?}"
            );
        }
    }
}
