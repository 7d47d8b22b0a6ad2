//! Follows which distinct ids belong to which persons: the whole table daily, and in between, or where
//! PostHog cannot answer for the whole, the ids of new events and the ids that PostHog moved.

mod whole;

use domain::exports::AHEAD;
use domain::storage::{NewRun, PersonMapping, PersonsReading, ReadRange};
use jiff::Timestamp;

pub(crate) use self::whole::Whole;
use self::whole::{PAUSE, asks_for_a_pause, is_of_an_earlier_run};
use crate::error::SyncError;
use crate::progress::Step;
use crate::session::Session;
use crate::summary::PersonsSummary;

/// Ids asked about in one query: some 100 KiB of text.
const IDS_PER_QUERY: usize = 2000;
/// Bytes of ids asked about in one query, should they be long: even if each is written with six, that
/// is below PostHog's limit of 1 MiB.
const BYTES_PER_QUERY: usize = 128 * 1024;

/// Brings the mappings up to date that a run needs: all of them as `whole` says, and those of recent ids.
/// What PostHog throttles, refuses or cannot answer now is told in the summary and costs the run nothing:
/// the events are there by now, and if further attempts at the run failed alike, no other would ever be
/// pulled.
pub(crate) async fn follow(
    session: &Session<'_>,
    run: &NewRun,
    whole: Whole,
) -> Result<PersonsSummary, SyncError> {
    session.begin(Step::Persons)?;
    let mut reader = Reader {
        session,
        summary: PersonsSummary::default(),
        read_through: None,
    };
    match whole {
        Whole::Due(reading) if is_of_an_earlier_run(&reading, run) => {
            // Recent ids first: where the whole takes what PostHog grants for hours, they would never be read.
            reader.read_recent(run).await?;
            reader.read_whole(reading).await?;
        }
        Whole::Due(reading) => {
            if !reader.read_whole(reading).await? {
                reader.read_recent(run).await?;
            }
        }
        Whole::NotDue => reader.read_recent(run).await?,
        Whole::PutOff { until } => {
            reader.read_recent(run).await?;
            let until = until.strftime("%FT%TZ");
            reader.problem(format!(
                "the persons of all distinct ids are not asked for before {until}, for PostHog could not answer that"
            ));
        }
    }
    tracing::debug!(
        changed = reader.summary.changed,
        "Person mappings are read."
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
    /// Up to here this run has read every distinct id, after its events.
    read_through: Option<String>,
}

impl Reader<'_> {
    /// Reads on in all of `person_distinct_ids`, and whether to the end. As far as it came the next run
    /// need not read again.
    async fn read_whole(&mut self, mut reading: PersonsReading) -> Result<bool, SyncError> {
        let from = reading.through.clone();
        let outcome = self.read_all(&mut reading).await;
        let came_further = reading.through != from;
        if let Err(SyncError::PostHog(error)) = &outcome
            && !came_further
            && asks_for_a_pause(error)
        {
            reading.paused_until = Some(self.session.ctx.clock.now() + PAUSE);
            self.keep(&reading).await?;
        }
        self.read_through = reading.through;
        let failure = if came_further {
            "the persons of all distinct ids could be read only in part, and the next run goes on"
        } else {
            "the persons of all distinct ids could not be read"
        };
        self.is_read(failure, outcome)
    }

    async fn read_all(&mut self, reading: &mut PersonsReading) -> Result<(), SyncError> {
        let (store, client) = (&self.session.ctx.store, &self.session.ctx.client);
        reading.paused_until = None;
        loop {
            let observed_at = self.session.ctx.clock.now();
            let page = self
                .session
                .asker
                .ask(|| client.person_mappings(reading.through.as_deref()))
                .await?;
            let range = ReadRange::Span {
                after: reading.through.clone(),
                through: page.next.clone(),
            };
            self.observe(&page.mappings, &range, observed_at).await?;
            if page.next.is_none() {
                break;
            }
            reading.through = page.next;
            self.keep(reading).await?;
        }
        // What a later part told of ids is no older, and neither is what is told of recent ids meanwhile.
        store
            .persons_read(self.session.lease(), reading.began)
            .await?;
        Ok(())
    }

    async fn keep(&self, reading: &PersonsReading) -> Result<(), SyncError> {
        let store = &self.session.ctx.store;
        Ok(store
            .keep_persons_reading(self.session.lease(), reading)
            .await?)
    }

    /// Reads the persons of new events' ids and of ids that merges moved.
    async fn read_recent(&mut self, run: &NewRun) -> Result<(), SyncError> {
        let new = self.read_ids_since(arrived_since(run)).await;
        self.is_read(
            "the persons of the distinct ids of new events could not be read",
            new,
        )?;
        let moved = self.read_overrides().await;
        self.is_read(
            "the persons of the distinct ids that merges moved could not be read",
            moved,
        )?;
        Ok(())
    }

    async fn read_ids_since(&mut self, since: Timestamp) -> Result<(), SyncError> {
        let (store, client) = (&self.session.ctx.store, &self.session.ctx.client);
        let mut after = self.read_through.take();
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

    /// Whether it was read; where PostHog did not answer, the summary tells of `failure` and why.
    fn is_read(
        &mut self,
        failure: &str,
        outcome: Result<(), SyncError>,
    ) -> Result<bool, SyncError> {
        match outcome {
            Err(SyncError::PostHog(error)) if !error.fails_every_request() => {
                tracing::warn!(%error, failure, "Not all persons could be read: events go on without.");
                self.problem(format!("{failure}: {error}"));
                Ok(false)
            }
            outcome => outcome.map(|()| true),
        }
    }

    fn problem(&mut self, problem: String) {
        self.summary.problem = Some(match self.summary.problem.take() {
            Some(first) => format!("{first}; {problem}"),
            None => problem,
        });
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
