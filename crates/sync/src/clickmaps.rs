//! Makes the clickmaps of the days whose clicks changed.

use domain::storage::StoreError;

use crate::error::SyncError;
use crate::outlook::are_clickmaps_in_force;
use crate::progress::Step;
use crate::session::Session;

/// Why the store could not make clickmaps, as when a statement takes too long.
pub(crate) struct Failure {
    error: StoreError,
    /// Whether there are clickmaps by the rules that are asked for, and only some days are due.
    is_in_force: bool,
}

/// Brings clickmaps up to what is stored and asked for. Interrupted, the next run goes on. A failure is for the
/// caller to tell and fails no run: clickmaps follow from what is stored, and if further attempts at the run
/// failed alike, no event would ever be pulled again. A store that does not answer at all fails the run's end.
pub(crate) async fn make(session: &Session<'_>) -> Result<Option<Failure>, SyncError> {
    session.begin(Step::Clickmaps)?;
    let store = &session.ctx.store;
    let policy = &session.settings.desired.clickmaps;
    let made = store.make_clickmaps(session.lease(), policy);
    let error = match session.asker.stop.race(made).await? {
        Ok(days) => {
            if days > 0 {
                tracing::debug!(days, "clickmaps were made");
            }
            return Ok(None);
        }
        Err(lost @ (StoreError::FenceLost | StoreError::LeaseHeld { .. })) => {
            return Err(lost.into());
        }
        Err(error) => error,
    };
    tracing::warn!(%error, "Not all clickmaps could be made: events go on without.");
    let epoch = store.epoch(session.id).await?;
    Ok(Some(Failure {
        error,
        is_in_force: epoch.is_some_and(|epoch| are_clickmaps_in_force(&epoch, session.settings)),
    }))
}

impl Failure {
    /// It in one sentence.
    pub(crate) fn problem(&self) -> String {
        format!("not all clickmaps could be made: {}", self.error)
    }

    /// What fails the attempt once its runs have ended. Rules that are not in force make the next run due at
    /// once: it must be put off as after any failure. Days that are due can wait for the next tick.
    pub(crate) fn of_attempt(self) -> Option<SyncError> {
        (!self.is_in_force).then(|| self.error.into())
    }
}
