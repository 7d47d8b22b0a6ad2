//! Follows which distinct ids belong to which persons: the whole table daily, and in between the
//! ids of new events and the ids that PostHog moved.

use domain::storage::{EpochRecord, ReadRange};
use jiff::{SignedDuration, Timestamp};

use crate::error::SyncError;
use crate::progress::Step;
use crate::session::Session;

/// Ids asked about in one query: some 100 KiB of text.
const IDS_PER_QUERY: usize = 2000;
/// Bytes of ids asked about in one query, should they be long: even if each is written with six, that
/// is below PostHog's limit of 1 MiB.
const BYTES_PER_QUERY: usize = 128 * 1024;
/// Half an hour less than a day, so that an hourly run a little early does not put it off.
const DAILY: SignedDuration = SignedDuration::from_mins(23 * 60 + 30);

/// Whether the whole table is due to be read.
pub(crate) fn is_whole_read_due(epoch: &EpochRecord, now: Timestamp) -> bool {
    epoch
        .persons_read_at
        .is_none_or(|at| now.duration_since(at) >= DAILY)
}

/// Reads all of `person_distinct_ids`. An interrupted read begins again at the next run.
pub(crate) async fn read_all(session: &Session<'_>) -> Result<(), SyncError> {
    session.begin(Step::Persons)?;
    let (store, client) = (&session.ctx.store, &session.ctx.client);
    let began = session.ctx.clock.now();
    let mut after: Option<String> = None;
    let mut changed = 0;
    loop {
        let observed_at = session.ctx.clock.now();
        let page = session
            .asker
            .ask(|| client.person_mappings(after.as_deref()))
            .await?;
        let range = ReadRange::Span {
            after: after.take(),
            through: page.next.clone(),
        };
        changed += store
            .observe_persons(session.lease(), &page.mappings, &range, observed_at)
            .await?;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    store.persons_read(session.lease(), began).await?;
    tracing::debug!(changed, "all person mappings are read");
    Ok(())
}

/// Reads again the persons of the ids that arrived `since`, and every moved id.
pub(crate) async fn read_recent(session: &Session<'_>, since: Timestamp) -> Result<(), SyncError> {
    session.begin(Step::Persons)?;
    let mut changed = read_ids_since(session, since).await?;
    changed += read_overrides(session).await?;
    tracing::debug!(changed, "person mappings of new events are read");
    Ok(())
}

async fn read_ids_since(session: &Session<'_>, since: Timestamp) -> Result<u64, SyncError> {
    let (store, client) = (&session.ctx.store, &session.ctx.client);
    let mut after: Option<String> = None;
    let mut changed = 0;
    loop {
        let ids = store
            .distinct_ids_since(session.id, since, after.as_deref(), IDS_PER_QUERY)
            .await?;
        let Some(last) = ids.last() else {
            return Ok(changed);
        };
        after = Some(last.clone());
        let whole = ids.len() < IDS_PER_QUERY;
        for ids in by_bytes(ids) {
            let observed_at = session.ctx.clock.now();
            let mappings = session.asker.ask(|| client.persons_of(&ids)).await?;
            let range = ReadRange::Ids(ids);
            changed += store
                .observe_persons(session.lease(), &mappings, &range, observed_at)
                .await?;
        }
        if whole {
            return Ok(changed);
        }
    }
}

async fn read_overrides(session: &Session<'_>) -> Result<u64, SyncError> {
    let (store, client) = (&session.ctx.store, &session.ctx.client);
    let mut after: Option<String> = None;
    let mut changed = 0;
    loop {
        let observed_at = session.ctx.clock.now();
        let page = session
            .asker
            .ask(|| client.person_overrides(after.as_deref()))
            .await?;
        changed += store
            .observe_persons(
                session.lease(),
                &page.mappings,
                &ReadRange::Answered,
                observed_at,
            )
            .await?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(changed),
        }
    }
}

/// Parts of `ids`, in their order, of [`BYTES_PER_QUERY`] each or of one id.
fn by_bytes(ids: Vec<String>) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for id in ids {
        bytes += id.len();
        match parts.last_mut() {
            Some(part) if bytes <= BYTES_PER_QUERY => part.push(id),
            _ => {
                bytes = id.len();
                parts.push(vec![id]);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ids_are_asked_about_in_several_queries_each_once_and_in_order() {
        let lengths = [1, BYTES_PER_QUERY - 1, 1, 65_536, 65_536, 65_536, 3];
        let ids: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
        let parts = by_bytes(ids.clone());
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 2, 2, 1]);
        assert_eq!(parts.concat(), ids);
        assert!(by_bytes(Vec::new()).is_empty());
    }
}
