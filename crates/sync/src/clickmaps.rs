//! Makes the clickmaps of the days whose clicks changed.

use crate::error::SyncError;
use crate::progress::Step;
use crate::session::Session;

/// Brings clickmaps up to what is stored and asked for. Interrupted, the next run goes on.
pub(crate) async fn make(session: &Session<'_>) -> Result<(), SyncError> {
    session.begin(Step::Clickmaps)?;
    let store = &session.ctx.store;
    let policy = &session.settings.desired.clickmaps;
    let made = store.make_clickmaps(session.lease(), policy);
    let days = session.asker.stop.race(made).await??;
    if days > 0 {
        tracing::debug!(days, "clickmaps were made");
    }
    Ok(())
}
