//! One connection's life under the scheduler: check, run, wait, and again.

use std::sync::Arc;
use std::time::Duration;

use domain::storage::{ConnectionFailure, StoreError};
use domain::sync::SyncMode;
use jiff::{SignedDuration, Timestamp};
use posthog::{Client, ClientConfig};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Scheduled, SchedulerConfig};
use crate::backoff::{Class, Setback};
use crate::check::{CheckError, CheckWarning, RegionProbe, check};
use crate::context::Context;
use crate::error::SyncError;
use crate::gate::{Share, StoreGate};
use crate::history;
use crate::progress::{Step, Update};
use crate::run::{admit, run};

/// From one check of a connection that works to the next.
const CHECK_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// The longest sleep at once: a machine that was suspended wakes to its tick within this.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// Keeps one connection pulled.
pub(crate) struct Keeper {
    ctx: Context,
    checker: Client,
    connection: Scheduled,
    http: posthog::Http,
    region_probe: bool,
    places: Arc<Semaphore>,
    checked_at: Option<Timestamp>,
    failures: u32,
    /// Somebody asked for a run that is not due.
    asked_now: bool,
}

/// Why a turn brought nothing.
enum Trouble {
    Check(CheckError),
    Run(SyncError),
}

impl Keeper {
    pub(crate) fn new(
        config: &SchedulerConfig,
        places: Arc<Semaphore>,
        connection: Scheduled,
        asked_now: bool,
        cancel: CancellationToken,
    ) -> Self {
        let client = |share| client(config, &connection, share);
        Self {
            ctx: Context {
                store: Arc::clone(&config.store),
                client: client(Share::Run),
                clock: Arc::clone(&config.clock),
                progress: Arc::clone(&config.progress),
                cancel,
                holder: Arc::clone(&config.holder),
                patience: Duration::ZERO,
                retry: config.retry,
            },
            checker: client(Share::Check),
            http: config.http.clone(),
            region_probe: config.region_probe,
            places,
            connection,
            checked_at: None,
            failures: 0,
            asked_now,
        }
    }

    /// Works until cancelled.
    pub(crate) async fn keep(mut self) {
        let cancel = self.ctx.cancel.clone();
        loop {
            // Not raced with the turn itself: a run drains by its own means.
            let place = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                place = Arc::clone(&self.places).acquire_owned() => place,
            };
            let outcome = self.turn().await;
            drop(place);
            let wake = match outcome {
                Ok(next) => next,
                Err(trouble) => match self.after(&trouble) {
                    Some(wake) => wake,
                    // Only changed settings help, and those bring a new keeper.
                    None => return,
                },
            };
            if !self.sleep_until(wake).await {
                return;
            }
        }
    }

    /// Checks when that is due, pulls when that is due, and says when to come back.
    async fn turn(&mut self) -> Result<Timestamp, Trouble> {
        let settings = &self.connection.settings;
        let run_error = |error: StoreError| Trouble::Run(error.into());
        let now = self.ctx.clock.now();
        let store = &self.ctx.store;
        // Writing it down revives a connection, and it may have been disconnected by now.
        if self.ctx.cancel.is_cancelled() {
            return Err(Trouble::Run(SyncError::Interrupted));
        }
        store
            .put_connection(&settings.desired, now)
            .await
            .map_err(run_error)?;
        admit(&settings.desired).map_err(Trouble::Run)?;
        let is_check_due = self
            .checked_at
            .is_none_or(|at| now.duration_since(at) >= CHECK_EVERY);
        if is_check_due {
            self.check(now).await?;
        }
        let due = history::next_run(&self.ctx, &self.connection.settings)
            .await
            .map_err(Trouble::Run)?;
        if due > self.ctx.clock.now() && !self.asked_now {
            return Ok(due);
        }
        let ran = run(&self.ctx, &self.connection.settings, SyncMode::Refresh).await;
        ran.map_err(Trouble::Run)?;
        self.failures = 0;
        self.asked_now = false;
        history::next_run(&self.ctx, &self.connection.settings)
            .await
            .map_err(Trouble::Run)
    }

    async fn check(&mut self, now: Timestamp) -> Result<(), Trouble> {
        let name = &self.connection.settings.desired.name;
        self.ctx.progress.report(name, Update::Step(Step::Checking));
        let key = &self.connection.key;
        let other = posthog::region::other(self.checker.host(), key);
        let other = other.filter(|_| self.region_probe);
        let probe = other.as_ref().map(|other| RegionProbe {
            http: &self.http,
            key,
            other,
        });
        let asked = tokio::select! {
            () = self.ctx.cancel.cancelled() => Err(Trouble::Run(SyncError::Interrupted)),
            asked = check(&self.checker, probe, now) => Ok(asked),
        };
        self.checker.settled().await;
        let asked = asked?;
        let report = match asked {
            Ok(report) => report,
            Err(error) => {
                let failure = ConnectionFailure {
                    reason: error.reason().to_owned(),
                    message: error.to_string(),
                    at: now,
                };
                if let Err(error) = self.ctx.store.record_failure(name, Some(&failure)).await {
                    tracing::warn!(%error, "the check's outcome could not be recorded");
                }
                return Err(Trouble::Check(error));
            }
        };
        for warning in &report.warnings {
            let reason: &str = warning.into();
            // A scope that nobody has to grant is no cause for alarm at every start.
            if matches!(warning, CheckWarning::MissingOptionalScope { .. }) {
                tracing::info!(reason, "{warning}");
            } else {
                tracing::warn!(reason, "{warning}");
            }
        }
        self.ctx
            .store
            .record_check(name, &report.summary)
            .await
            .map_err(|error| Trouble::Run(error.into()))?;
        self.checked_at = Some(now);
        Ok(())
    }

    /// When to try again; never, when only other settings can help.
    fn after(&mut self, trouble: &Trouble) -> Option<Timestamp> {
        let now = self.ctx.clock.now();
        let (setback, reason, message) = match trouble {
            Trouble::Run(SyncError::Interrupted) => return None,
            Trouble::Run(SyncError::Busy { until }) => {
                tracing::info!(%until, "Another run holds this connection; waiting for it.");
                return Some((*until).max(now) + SignedDuration::from_secs(1));
            }
            Trouble::Run(
                error @ (SyncError::Suspended
                | SyncError::NotEligible { .. }
                | SyncError::Disconnected
                | SyncError::NotRegistered
                | SyncError::Moved { .. }),
            ) => {
                self.tell_failure(error.reason(), error.to_string(), None);
                return None;
            }
            Trouble::Check(error) => (Setback::of_check(error), error.reason(), error.to_string()),
            Trouble::Run(error) => (Setback::of_run(error), error.reason(), error.to_string()),
        };
        self.failures = self.failures.saturating_add(1);
        if setback.class == Class::NeedsPerson {
            self.checked_at = None;
        }
        let wake = SignedDuration::try_from(setback.pause(self.failures))
            .ok()
            .and_then(|pause| now.checked_add(pause).ok())
            .unwrap_or(Timestamp::MAX);
        self.tell_failure(reason, message, Some(wake));
        Some(wake)
    }

    /// Whoever watches shows or logs it; nobody else does.
    fn tell_failure(&self, reason: &'static str, message: String, retry_at: Option<Timestamp>) {
        self.ctx.progress.report(
            &self.connection.settings.desired.name,
            Update::Failed {
                reason,
                message,
                retry_at,
            },
        );
    }

    /// Sleeps by the scheduler's clock; whether to go on.
    async fn sleep_until(&self, wake: Timestamp) -> bool {
        loop {
            let left = wake.duration_since(self.ctx.clock.now());
            let Ok(left) = Duration::try_from(left) else {
                return !self.ctx.cancel.is_cancelled();
            };
            if left.is_zero() {
                return !self.ctx.cancel.is_cancelled();
            }
            tokio::select! {
                () = self.ctx.cancel.cancelled() => return false,
                () = tokio::time::sleep(left.min(LONGEST_SLEEP)) => {}
            }
        }
    }
}

fn client(config: &SchedulerConfig, connection: &Scheduled, share: Share) -> Client {
    let desired = &connection.settings.desired;
    let gate = StoreGate::new(Arc::clone(&config.store), desired.epoch.clone(), share);
    Client::new(ClientConfig {
        host: desired.epoch.host.clone(),
        project: desired.epoch.project_id,
        key: connection.key.clone(),
        http: config.http.clone(),
        gate: Arc::new(gate),
        reads_elements: desired.clickmaps.rules().is_some(),
        id_properties: desired.id_properties.clone(),
    })
}
