//! Keeps the list of the project's event names, daily, where the key may read it.

use crate::error::SyncError;
use crate::progress::Step;
use crate::session::Session;

/// Reads all definitions. PostHog's refusal is logged and costs the run nothing: names of
/// stored events are known anyway.
pub(crate) async fn read(session: &Session<'_>) -> Result<(), SyncError> {
    session.begin(Step::Definitions)?;
    let client = &session.ctx.client;
    match session.asker.ask(|| client.event_definitions()).await {
        Ok(definitions) => {
            let store = &session.ctx.store;
            store
                .put_event_definitions(session.lease(), &definitions)
                .await?;
            Ok(())
        }
        Err(SyncError::PostHog(error)) => {
            tracing::warn!(%error, "the project's event definitions are not read today");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
