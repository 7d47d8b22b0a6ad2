//! Leader election: of several replicas the one that holds a Lease (coordination.k8s.io) works, and the
//! others stand by. Why it is our own: `docs/decisions/0011-leader-election-of-our-own.md`.

mod candidate;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::candidate::{Candidate, Step};
use crate::config::OperatorConfig;
use crate::error::{Error, describe};
use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// The Lease's name, in the operator's namespace.
pub const LEASE: &str = "ordinary-posthog-operator";

/// How long leadership lasts, how client-go's own controllers have it: 15, 10 and 2 seconds.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTiming {
    /// How long a leader that says nothing more is left alone.
    pub duration: Duration,
    /// When a leader that cannot renew stops by itself: before `duration`, so that nobody works beside it.
    pub renew_deadline: Duration,
    /// From one attempt to the next.
    pub retry: Duration,
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl LeaseTiming {
    /// When a leader that has not renewed since `held` stops.
    fn stops_at(self, held: Instant) -> Instant {
        held + self.renew_deadline
    }

    /// When the work of a leader is dropped that has not renewed since `held` and was told at `lost` to
    /// stop: before another may lead, however late it was told.
    fn drops_at(self, held: Instant, lost: Instant) -> Instant {
        let left = self.duration.saturating_sub(self.renew_deadline);
        (lost + left).min(held + self.duration)
    }
}

/// A replica that wants to lead.
pub(crate) struct Election {
    api: Api<Lease>,
    timing: LeaseTiming,
    candidate: Candidate,
    /// When the last attempt began that found or made this replica the leader.
    held: Instant,
    metrics: Metrics,
}

/// What an attempt came to.
enum Attempt {
    Held,
    HeldBy(String),
    /// Somebody wrote the Lease at the same moment.
    Conflict,
}

impl Election {
    /// A candidate by the name of `config.identity`, which no other process has at the same time.
    pub(crate) fn new(client: kube::Client, config: &OperatorConfig, metrics: Metrics) -> Self {
        let timing = config.intervals.lease;
        Self {
            api: Api::namespaced(client, &config.namespace),
            timing,
            candidate: Candidate::new(config.identity.clone(), timing.duration),
            held: Instant::now(),
            metrics,
        }
    }

    /// Waits until this replica leads, then works until `work` has ended. `work` ends in order when its
    /// token is cancelled, which `shutdown` does; the Lease is given back only afterwards.
    ///
    /// # Errors
    /// [`Error::LeadershipLost`] when another replica may lead by now, and what `work` fails with.
    pub(crate) async fn lead<W>(
        mut self,
        readiness: &Readiness,
        shutdown: &CancellationToken,
        work: impl FnOnce(CancellationToken) -> W,
    ) -> Result<(), Error>
    where
        W: Future<Output = Result<(), Error>>,
    {
        if !self.win(readiness, shutdown).await {
            return Ok(());
        }
        tracing::info!("This replica leads.");
        readiness.leads();
        let _leading = self.metrics.leading();
        let tenure = shutdown.child_token();
        let mut work = pin!(work(tenure.clone()));
        tokio::select! {
            done = &mut work => {
                self.give_back().await;
                done
            }
            () = self.until_lost() => {
                tenure.cancel();
                let dropped = self.timing.drops_at(self.held, Instant::now());
                let _ = timeout_at(dropped, work).await;
                Err(Error::LeadershipLost)
            }
        }
    }

    /// Waits to become the leader; false when `shutdown` came first.
    async fn win(&mut self, readiness: &Readiness, shutdown: &CancellationToken) -> bool {
        let mut leader = None;
        loop {
            let attempt = tokio::select! {
                () = shutdown.cancelled() => return false,
                attempt = timeout(self.timing.renew_deadline, self.attempt()) => attempt,
            };
            match attempt {
                Ok(Ok(Attempt::Held)) => return true,
                Ok(Ok(Attempt::HeldBy(holder))) => {
                    readiness.stands_by();
                    if leader.as_ref() != Some(&holder) {
                        tracing::info!(leader = %holder, "Another replica leads; standing by.");
                        leader = Some(holder);
                    }
                }
                Ok(Ok(Attempt::Conflict)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = describe(&error),
                        "The Lease of the leader cannot be read or written; trying again."
                    );
                }
                Err(_) => tracing::warn!("The API server does not answer; trying again."),
            }
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = sleep(self.timing.retry) => {}
            }
        }
    }

    /// Renews until that has not succeeded for too long, or another holds the Lease.
    async fn until_lost(&mut self) {
        loop {
            let stops = self.timing.stops_at(self.held);
            sleep_until(stops.min(Instant::now() + self.timing.retry)).await;
            if Instant::now() >= stops {
                tracing::error!("Leadership could not be renewed in time; stopping.");
                return;
            }
            match timeout_at(stops, self.attempt()).await {
                Ok(Ok(Attempt::HeldBy(holder))) => {
                    tracing::error!(leader = %holder, "Another replica leads; stopping.");
                    return;
                }
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = describe(&error),
                        "Leadership could not be renewed; trying again."
                    );
                }
                Ok(Ok(Attempt::Held | Attempt::Conflict)) | Err(_) => {}
            }
        }
    }

    async fn attempt(&mut self) -> kube::Result<Attempt> {
        let began = Instant::now();
        let found = self.api.get_opt(LEASE).await?;
        // Each of the two times is the one that errs towards nobody leading beside another: what is held
        // counts from before it was asked for, what others hold from when it was seen.
        let seen = Instant::now();
        let step = self.candidate.next(found, seen, Timestamp::now());
        let written = match step {
            Step::Create(lease) => self.api.create(&PostParams::default(), &lease).await,
            // With the version that was found, so that of two who write one is refused.
            Step::Replace(lease) => {
                self.api
                    .replace(LEASE, &PostParams::default(), &lease)
                    .await
            }
            Step::Wait { holder } => return Ok(Attempt::HeldBy(holder)),
        };
        match written {
            Ok(_) => {
                self.held = began;
                Ok(Attempt::Held)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Attempt::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Lets another lead at once instead of after `duration`.
    async fn give_back(&mut self) {
        let given = timeout(self.timing.renew_deadline, async {
            loop {
                let found = self.api.get_opt(LEASE).await?;
                let Some(freed) = found.and_then(|lease| self.candidate.released(lease)) else {
                    return Ok(());
                };
                let params = PostParams::default();
                match self.api.replace(LEASE, &params, &freed).await {
                    // A renewal of ours came between, which was under way when the work ended.
                    Err(kube::Error::Api(status)) if status.code == 409 => {}
                    written => return written.map(drop),
                }
            }
        });
        match given.await {
            Ok(Ok(())) => tracing::info!("Leadership is given back."),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = describe(&error),
                    "Leadership is not given back; it ends by itself."
                );
            }
            Err(_) => tracing::warn!("Leadership is not given back; it ends by itself."),
        }
    }
}

#[cfg(test)]
mod tests;
