//! Follows which distinct ids belong to which persons: the whole table daily, and in between, or where
//! PostHog cannot answer for the whole, the ids of new events and the ids that PostHog moved.

use domain::exports::AHEAD;
use domain::storage::{NewRun, PersonMapping, ReadRange};
use jiff::Timestamp;

use crate::error::SyncError;
use crate::progress::Step;
use crate::session::Session;
use crate::summary::PersonsSummary;

/// Ids asked about in one query: some 100 KiB of text.
const IDS_PER_QUERY: usize = 2000;
/// Bytes of ids asked about in one query, should they be long: even if each is written with six, that
/// is below PostHog's limit of 1 MiB.
const BYTES_PER_QUERY: usize = 128 * 1024;

/// Brings the mappings up to date that a run needs: all of them if they are due or if it reads a window
/// whole. What is too heavy for PostHog is told in the summary and costs the run nothing: it would be too
/// heavy in every further attempt too, and no event would ever be pulled again.
pub(crate) async fn follow(
    session: &Session<'_>,
    run: &NewRun,
    are_due: bool,
) -> Result<PersonsSummary, SyncError> {
    session.begin(Step::Persons)?;
    let mut reader = Reader {
        session,
        summary: PersonsSummary::default(),
    };
    if are_due || run.arrivals.is_none() {
        let whole = reader.read_all().await;
        if reader.is_read("all distinct ids", whole)? {
            return Ok(reader.summary);
        }
    }
    let new = reader.read_ids_since(arrived_since(run)).await;
    reader.is_read("the distinct ids of new events", new)?;
    let moved = reader.read_overrides().await;
    reader.is_read("the distinct ids that merges moved", moved)?;
    tracing::debug!(
        changed = reader.summary.changed,
        "Recent person mappings are read."
    );
    Ok(reader.summary)
}

/// When the events of a run arrived at the earliest.
fn arrived_since(run: &NewRun) -> Timestamp {
    match run.arrivals {
        Some(arrivals) => arrivals.since,
        None => run.window.from.checked_sub(AHEAD).unwrap_or(Timestamp::MIN),
    }
}

/// One run's reading of mappings.
struct Reader<'a> {
    session: &'a Session<'a>,
    summary: PersonsSummary,
}

impl Reader<'_> {
    /// Reads all of `person_distinct_ids`. An interrupted read begins again at the next run.
    async fn read_all(&mut self) -> Result<(), SyncError> {
        let (store, client) = (&self.session.ctx.store, &self.session.ctx.client);
        let began = self.session.ctx.clock.now();
        let mut after: Option<String> = None;
        loop {
            let observed_at = self.session.ctx.clock.now();
            let page = self
                .session
                .asker
                .ask(|| client.person_mappings(after.as_deref()))
                .await?;
            let range = ReadRange::Span {
                after: after.take(),
                through: page.next.clone(),
            };
            self.observe(&page.mappings, &range, observed_at).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        store.persons_read(self.session.lease(), began).await?;
        tracing::debug!(
            changed = self.summary.changed,
            "All person mappings are read."
        );
        Ok(())
    }

    async fn read_ids_since(&mut self, since: Timestamp) -> Result<(), SyncError> {
        let (store, client) = (&self.session.ctx.store, &self.session.ctx.client);
        let mut after: Option<String> = None;
        loop {
            let ids = store
                .distinct_ids_since(self.session.id, since, after.as_deref(), IDS_PER_QUERY)
                .await?;
            let Some(last) = ids.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let whole = ids.len() < IDS_PER_QUERY;
            for ids in by_bytes(ids) {
                let observed_at = self.session.ctx.clock.now();
                let mappings = self.session.asker.ask(|| client.persons_of(&ids)).await?;
                let range = ReadRange::Ids(ids);
                self.observe(&mappings, &range, observed_at).await?;
            }
            if whole {
                return Ok(());
            }
        }
    }

    async fn read_overrides(&mut self) -> Result<(), SyncError> {
        let client = &self.session.ctx.client;
        let mut after: Option<String> = None;
        loop {
            let observed_at = self.session.ctx.clock.now();
            let page = self
                .session
                .asker
                .ask(|| client.person_overrides(after.as_deref()))
                .await?;
            self.observe(&page.mappings, &ReadRange::Answered, observed_at)
                .await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn observe(
        &mut self,
        mappings: &[PersonMapping],
        range: &ReadRange,
        at: Timestamp,
    ) -> Result<(), SyncError> {
        let store = &self.session.ctx.store;
        let lease = self.session.lease();
        self.summary.changed += store.observe_persons(lease, mappings, range, at).await?;
        Ok(())
    }

    /// Whether a read of these ids was not too heavy for PostHog; the summary tells it if it was.
    fn is_read(&mut self, ids: &str, outcome: Result<(), SyncError>) -> Result<bool, SyncError> {
        match outcome {
            Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                tracing::warn!(%error, ids, "Not all persons could be read: events go on without.");
                let problem = format!("the persons of {ids} could not be read: {error}");
                self.summary.problem = Some(match self.summary.problem.take() {
                    Some(first) => format!("{first}; {problem}"),
                    None => problem,
                });
                Ok(false)
            }
            outcome => outcome.map(|()| true),
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
