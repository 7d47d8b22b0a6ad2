//! The budget of requests that everybody who asks one project shares.

mod local;

use std::time::Duration;

use async_trait::async_trait;

pub use self::local::LocalGate;
use crate::error::{Error, ThrottleKind};

/// The shared budget. Every request to a project goes through it.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Waits until one more request may be sent. The pass is held while the request runs.
    ///
    /// # Errors
    /// [`Error::Gate`] when the budget cannot be kept; [`Error::Throttled`] when the wait would be
    /// longer than the gate is willing to keep a caller.
    async fn enter(&self) -> Result<GatePass, Error>;

    /// Takes note that PostHog throttled a request of this project.
    async fn throttled(&self, retry_after: Option<Duration>, kind: ThrottleKind);

    /// Waits, but not for long, until every pass is dropped and its place given back. For whoever
    /// lets go of all requests, since tasks that are aborted drop theirs a moment later, and may end
    /// the process, after which nobody gives back a place.
    async fn settled(&self);
}

/// The right to have one request under way; given back when dropped.
pub struct GatePass(Option<Box<dyn FnOnce() + Send>>);

impl GatePass {
    /// A pass whose place is given back by `give_back`. It runs in a destructor, so it must not
    /// block: spawn what has to wait, and have [`Gate::settled`] wait for it.
    pub fn new(give_back: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(give_back)))
    }
}

impl Drop for GatePass {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

impl std::fmt::Debug for GatePass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GatePass")
    }
}
