//! Asks PostHog on behalf of a run: tries again what may succeed later, and lets go at once when
//! the run is to stop.

use std::future::Future;
use std::time::Duration;

use domain::ConnectionName;
use jiff::SignedDuration;
use posthog::Error;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::error::SyncError;
use crate::progress::Update;

/// What tells a run to stop.
#[derive(Clone)]
pub(crate) struct Stop {
    /// Somebody asked it to drain.
    pub(crate) cancel: CancellationToken,
    /// Another has taken the connection over.
    pub(crate) lost: CancellationToken,
}

impl Stop {
    /// Fails when the run is to stop.
    pub(crate) fn check(&self) -> Result<(), SyncError> {
        if self.lost.is_cancelled() {
            return Err(domain::storage::StoreError::FenceLost.into());
        }
        if self.cancel.is_cancelled() {
            return Err(SyncError::Interrupted);
        }
        Ok(())
    }

    /// What `work` gives, unless the run is to stop first; `work` is dropped then.
    pub(crate) async fn race<T>(&self, work: impl Future<Output = T>) -> Result<T, SyncError> {
        self.check()?;
        tokio::select! {
            biased;
            () = self.lost.cancelled() => Err(domain::storage::StoreError::FenceLost.into()),
            () = self.cancel.cancelled() => Err(SyncError::Interrupted),
            done = work => Ok(done),
        }
    }
}

/// Who asks, and how patiently.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) ctx: Context,
    pub(crate) name: ConnectionName,
    pub(crate) stop: Stop,
}

impl Asker {
    /// The answer to `request`, asked again where that may help.
    ///
    /// # Errors
    /// The last of PostHog's errors, or that the run is to stop.
    pub(crate) async fn ask<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let policy = self.ctx.retry;
        let mut wait = policy.first_wait;
        let mut attempt = 1;
        loop {
            let error = match self.stop.race(request()).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = error.retry_after().unwrap_or(wait);
            if !error.is_retryable() || attempt >= policy.attempts || pause > policy.longest_wait {
                return Err(error.into());
            }
            self.tell(&error, pause);
            self.stop.race(tokio::time::sleep(pause)).await?;
            wait = (wait * 2).min(policy.longest_wait);
            attempt += 1;
        }
    }

    fn tell(&self, error: &Error, pause: Duration) {
        tracing::debug!(%error, wait = ?pause, "PostHog is asked again after a pause");
        let until = SignedDuration::try_from(pause)
            .ok()
            .and_then(|pause| self.ctx.clock.now().checked_add(pause).ok());
        if let Some(until) = until {
            let reason = error.reason();
            self.ctx
                .progress
                .report(&self.name, Update::Waiting { reason, until });
        }
    }
}
