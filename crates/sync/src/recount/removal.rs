//! Removes what PostHog deleted on one UTC day: only after a full read of the day's uuids.

use std::collections::HashSet;

use jiff::civil::Date;
use uuid::Uuid;

use super::rules::Surplus;
use crate::error::SyncError;
use crate::session::Session;

/// Uuids removed by one statement.
const BATCH: usize = 5000;

/// What PostHog deleted of one day.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gone {
    /// Stored events that were removed.
    pub(crate) removed: u64,
    /// Events erased here that need not be known any more.
    pub(crate) forgotten: u64,
}

/// Removes stored events of `day` that a full read of its uuids does not have, and forgets erased
/// ones that it does not have: of those alone that had arrived at the first of the two recounts that agreed on
/// this `surplus`. None when that read holds fewer than the `remote` events counted; or when it holds more, as
/// while events arrive, and lacks more of those held here than the surplus.
pub(crate) async fn remove_deleted(
    session: &Session<'_>,
    day: Date,
    remote: u64,
    surplus: Surplus,
) -> Result<Gone, SyncError> {
    let there = read_uuids(session, day).await?;
    let store = &session.ctx.store;
    let (id, since) = (session.id, surplus.since);
    let mut stored = store.uuids_of_utc_day(id, day, since).await?;
    stored.retain(|uuid| !there.contains(uuid));
    let mut erased = store.erased_uuids_of_utc_day(id, day, since).await?;
    erased.retain(|uuid| !there.contains(uuid));
    let (read, gone) = (there.len() as u64, (stored.len() + erased.len()) as u64);
    if read < remote || (read > remote && gone > surplus.events) {
        tracing::info!(
            %day, counted = remote, read, gone, surplus = surplus.events,
            "nothing is removed, for the day's uuids are not the number counted"
        );
        return Ok(Gone::default());
    }
    let mut found = Gone::default();
    for batch in stored.chunks(BATCH) {
        found.removed += store.remove_events(session.lease(), batch).await?;
    }
    for batch in erased.chunks(BATCH) {
        found.forgotten += store.forget_erased(session.lease(), batch).await?;
    }
    tracing::info!(%day, found.removed, "events that PostHog deleted are removed");
    Ok(found)
}

async fn read_uuids(session: &Session<'_>, day: Date) -> Result<HashSet<Uuid>, SyncError> {
    let client = &session.ctx.client;
    let mut there = HashSet::new();
    let mut after = None;
    loop {
        let page = session
            .asker
            .ask(|| client.uuids_of_day(day, after))
            .await?;
        there.extend(page.uuids);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(there),
        }
    }
}
