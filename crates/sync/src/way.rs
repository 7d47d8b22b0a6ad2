//! Chooses by which way a backfill reads, and plans the one by file exports.

use domain::backfill_way::{BackfillVia, Via, Way};
use domain::exports;
use domain::sync::{Slice, Window};
use jiff::{SignedDuration, Timestamp};

use crate::error::SyncError;
use crate::exports::columns;
use crate::project::Project;
use crate::session::Session;

/// An export may not end in PostHog's future, and what came in last may not be in its table yet.
const SETTLED: SignedDuration = SignedDuration::from_mins(5);

/// Chooses for a backfill of so many events.
pub(crate) async fn choose(
    session: &Session<'_>,
    project: &Project,
    events: u64,
) -> Result<Way, SyncError> {
    let asked = session.settings.backfill_via;
    let scopes = match &project.scopes {
        _ if asked == BackfillVia::Query => Vec::new(),
        Some(scopes) => scopes.clone(),
        None => {
            let client = &session.ctx.client;
            match session.asker.ask(|| client.key_info()).await {
                Ok(key) => key.scopes,
                // A key that no longer holds is told by the first query; nothing else is lost by these.
                Err(SyncError::PostHog(error)) if asked == BackfillVia::Auto => {
                    return Ok(Way::instead_of_exports(&error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
    };
    let way = Way::choose(asked, &scopes, events);
    if way.via == Via::Query {
        return Ok(way);
    }
    match columns(&session.asker).await {
        Ok(_) => Ok(way),
        Err(SyncError::PostHog(error)) if error.ends_exports() => {
            Ok(Way::instead_of_exports(&error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// The slices of a backfill by file exports.
pub(crate) fn plan_exports(
    session: &Session<'_>,
    window: Window,
    now: Timestamp,
    events: u64,
) -> Vec<Slice> {
    // By PostHog's clock, where this machine's is ahead of it.
    let ahead = session.ctx.client.clock_skew().unwrap_or_default();
    let until = now - SETTLED - ahead.max(SignedDuration::ZERO);
    exports::plan_exports(window, until, events)
}
