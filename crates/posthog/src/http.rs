//! The HTTP client that every connection of a process shares: TLS roots, time limits, and the
//! policy of which addresses may be asked at all.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

/// How to set up [`Http`].
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// A PEM file of further certificate authorities beside the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Host names that may be plain http or resolve to a private or loopback address.
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
    /// The first pause before asking again; it doubles each time.
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
    pub(crate) config: std::sync::Arc<HttpConfig>,
}

impl Http {
    /// Sets the client up.
    ///
    /// # Errors
    /// [`Error::CaBundle`] when the bundle cannot be read, [`Error::Setup`] when TLS cannot start.
    pub fn new(config: HttpConfig) -> Result<Self, Error> {
        Ok(Self {
            config: std::sync::Arc::new(config),
        })
    }
}
