//! Keeps every connection of a process pulled: check, backfill, then refreshes at their ticks,
//! a few connections at once, until told otherwise.

mod keeper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::storage::{Store, StoreError};
use domain::{ApiKey, ConnectionName};
use posthog::Http;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::clock::Clock;
use crate::context::RetryPolicy;
use crate::progress::Progress;
use crate::settings::Settings;

/// Runs at once, over all connections, unless configured.
pub const DEFAULT_CONCURRENT_SYNCS: usize = 8;

/// What a scheduler works with.
#[derive(Clone)]
pub struct SchedulerConfig {
    /// Where rows go.
    pub store: Arc<dyn Store>,
    /// The process's HTTP client.
    pub http: Http,
    /// Decides ticks and windows.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub progress: Arc<dyn Progress>,
    /// Who holds leases: unique to this process.
    pub holder: Arc<str>,
    /// Checks and runs at once, at least 1; `maxConcurrentSyncs`.
    pub max_concurrent: usize,
    /// Whether the other Cloud region may be asked about an unknown key.
    pub region_probe: bool,
    /// How failed requests are tried again within a run.
    pub retry: RetryPolicy,
}

/// A connection to keep pulled.
#[derive(Clone)]
pub struct Scheduled {
    /// What to pull.
    pub settings: Settings,
    /// As whom.
    pub key: ApiKey,
    /// A new value asks for a refresh now; what it says is not looked at.
    pub refresh_requested: Option<String>,
}

/// Keeps connections pulled, one task each.
pub struct Scheduler {
    config: SchedulerConfig,
    places: Arc<Semaphore>,
    kept: BTreeMap<ConnectionName, Kept>,
}

struct Kept {
    what: Scheduled,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Scheduled {
    fn is_same(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.key.secret().expose_secret() == other.key.secret().expose_secret()
            && self.refresh_requested == other.refresh_requested
    }
}

impl Scheduler {
    /// A scheduler without connections.
    pub fn new(config: SchedulerConfig) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.max_concurrent.max(1))),
            config,
            kept: BTreeMap::new(),
        }
    }

    /// Makes `wanted` the connections that are kept: new ones start, changed ones drain and start
    /// again, unchanged ones go on. Those kept so far and no longer wanted are disconnected: their
    /// reads stop at once, their rows stay. Waits for no run but those of connections that go.
    ///
    /// # Errors
    /// [`StoreError`] when a disconnection could not be recorded; that connection is pulled no more,
    /// and asking again disconnects it.
    pub async fn set(&mut self, wanted: Vec<Scheduled>) -> Result<(), StoreError> {
        let names: BTreeSet<ConnectionName> = wanted
            .iter()
            .map(|connection| connection.settings.desired.name.clone())
            .collect();
        for connection in wanted {
            self.keep(connection);
        }
        let gone: Vec<ConnectionName> = self
            .kept
            .keys()
            .filter(|name| !names.contains(*name))
            .cloned()
            .collect();
        let mut outcome = Ok(());
        for name in gone {
            if let Err(error) = self.disconnect(&name).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn disconnect(&mut self, name: &ConnectionName) -> Result<(), StoreError> {
        if let Some(kept) = self.kept.get(name) {
            kept.cancel.cancel();
        }
        let store = &self.config.store;
        store.mark_deleted(name, self.config.clock.now()).await?;
        if let Some(kept) = self.kept.remove(name) {
            drain(kept.task).await;
            // The last thing it wrote may have been that the connection lives.
            store.mark_deleted(name, self.config.clock.now()).await?;
        }
        tracing::info!(connection = %name, "The connection is disconnected; its rows stay.");
        Ok(())
    }

    fn keep(&mut self, connection: Scheduled) {
        let name = connection.settings.desired.name.clone();
        let before = match self.kept.remove(&name) {
            Some(kept) if kept.what.is_same(&connection) && !kept.task.is_finished() => {
                self.kept.insert(name, kept);
                return;
            }
            before => before,
        };
        let cancel = CancellationToken::new();
        // What stands there at the start was asked of an earlier process.
        let asked_now = connection.refresh_requested.is_some()
            && before
                .as_ref()
                .is_some_and(|kept| kept.what.refresh_requested != connection.refresh_requested);
        let keeper = keeper::Keeper::new(
            &self.config,
            Arc::clone(&self.places),
            connection.clone(),
            asked_now,
            cancel.clone(),
        );
        let span = tracing::info_span!("connection", connection = %name);
        let task = tokio::spawn(
            async move {
                if let Some(kept) = before {
                    kept.cancel.cancel();
                    drain(kept.task).await;
                }
                keeper.keep().await;
            }
            .instrument(span),
        );
        self.kept.insert(
            name,
            Kept {
                what: connection,
                cancel,
                task,
            },
        );
    }

    /// Stops every connection after its page in flight; the next start goes on from there.
    pub async fn drain(self) {
        for kept in self.kept.values() {
            kept.cancel.cancel();
        }
        for kept in self.kept.into_values() {
            drain(kept.task).await;
        }
    }
}

async fn drain(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a connection's task broke");
    }
}
