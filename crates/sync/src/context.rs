//! What every part of a run works with.

use std::sync::Arc;
use std::time::Duration;

use domain::storage::Store;
use posthog::Client;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::progress::Progress;

/// The outside world of a run.
#[derive(Clone)]
pub struct Context {
    /// Where rows go.
    pub store: Arc<dyn Store>,
    /// The project's PostHog, with the connection's key.
    pub client: Client,
    /// Decides windows and verdicts.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub progress: Arc<dyn Progress>,
    /// Drains the run: the page in flight is stored, the rest is left for the next attempt.
    pub cancel: CancellationToken,
    /// Who holds leases: unique to this process, such as a pod name or a uuid.
    pub holder: Arc<str>,
    /// How long to wait for another holder of the connection to leave; after a kill -9 a lease
    /// lives for up to [`crate::LEASE_TTL`].
    pub patience: Duration,
    /// How failed requests are tried again.
    pub retry: RetryPolicy,
}

/// How failed requests are tried again before a run gives up.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts at one request, the first included.
    pub attempts: u32,
    /// The wait before the second attempt; doubled for each further one.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(300),
        }
    }
}
