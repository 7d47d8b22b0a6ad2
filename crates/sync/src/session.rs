//! One attempt at a run: who holds the connection, what it has cost, what has been read.

use std::sync::Mutex;
use std::sync::PoisonError;

use domain::ConnectionId;
use domain::storage::{Lease, RunId};
use domain::sync::{RunTotals, SyncMode};

use crate::ask::Asker;
use crate::context::Context;
use crate::error::SyncError;
use crate::lease::HeldLease;
use crate::progress::{Step, Update};
use crate::settings::Settings;

/// What every step of a run works with.
pub(crate) struct Session<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) settings: &'a Settings,
    pub(crate) id: ConnectionId,
    pub(crate) held: &'a HeldLease,
    pub(crate) asker: Asker,
    charged: Mutex<RunTotals>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        ctx: &'a Context,
        settings: &'a Settings,
        held: &'a HeldLease,
        asker: Asker,
    ) -> Self {
        Self {
            ctx,
            settings,
            id: settings.connection_id(),
            held,
            asker,
            charged: Mutex::new(ctx.client.cost()),
        }
    }

    /// The lease, for writes.
    pub(crate) fn lease(&self) -> &Lease {
        self.held.lease()
    }

    /// Tells that a step begins, unless the run is to stop.
    pub(crate) fn begin(&self, step: Step) -> Result<(), SyncError> {
        self.asker.stop.check()?;
        tracing::debug!(%step, "Next step.");
        self.tell(Update::Step(step));
        Ok(())
    }

    /// Tells whoever watches.
    pub(crate) fn tell(&self, update: Update) {
        self.ctx.progress.report(&self.asker.name, update);
    }

    /// Requests and bytes since the last call, to be added to the run's totals.
    pub(crate) fn uncharged_cost(&self) -> RunTotals {
        let now = self.ctx.client.cost();
        let mut charged = self.charged.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = RunTotals {
            requests: now.requests - charged.requests,
            bytes_received: now.bytes_received - charged.bytes_received,
            bytes_read: now.bytes_read - charged.bytes_read,
            ..RunTotals::default()
        };
        *charged = now;
        cost
    }

    /// Adds what was asked outside pages to the run's totals.
    pub(crate) async fn charge(&self, run: RunId, removed: u64) -> Result<(), SyncError> {
        let more = RunTotals {
            events_removed: removed,
            ..self.uncharged_cost()
        };
        if more != RunTotals::default() {
            self.ctx.store.add_totals(self.lease(), run, &more).await?;
        }
        Ok(())
    }

    /// Adds what was asked outside pages to the totals of the run that is open, if one is.
    pub(crate) async fn charge_open_run(&self) -> Result<(), SyncError> {
        for mode in [SyncMode::Backfill, SyncMode::Refresh] {
            if let Some(open) = self.ctx.store.open_run(self.id, mode).await? {
                return self.charge(open.id, 0).await;
            }
        }
        Ok(())
    }
}
