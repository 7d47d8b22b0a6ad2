//! Reads a run's slices: a few at once from PostHog, each in pages that are written one after
//! another as they come. Memory holds a handful of pages, however large the answers, and the store
//! knows the place reached in every slice at any moment.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use domain::slices;
use domain::storage::{OpenRun, Page, PendingSlice, RunId, SliceAdvance};
use domain::sync::{Slice, SyncMode};
use jiff::Timestamp;
use posthog::EventPage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::ask::Asker;
use crate::error::SyncError;
use crate::exports::{ExportReader, given_up};
use crate::pace::Pace;
use crate::progress::Update;
use crate::session::Session;

/// Slices that are read at once: what PostHog allows.
const AT_ONCE: usize = 3;
/// Pages that wait for the writer, beside the one that each reader has in hand.
const WAITING: usize = 1;

/// What the reader of a slice has to say.
pub(crate) enum Said {
    /// Its next page.
    Page(EventPage),
    /// These slices take its place.
    Became(Vec<Slice>),
}

/// The number of a slice, and what its reader has to say, or why there is no more.
pub(crate) type Told = (i64, Result<Said, SyncError>);

/// How reading ended.
pub(crate) enum Read {
    /// All is stored.
    Whole,
    /// PostHog's file exports are of no use, for this reason; what came of them is stored.
    ExportsEnded(String),
}

/// Reads what is left of an open run. Stops after the page in flight when asked to. Once it returns,
/// nobody reads any more.
pub(crate) async fn read_slices(session: &Session<'_>, open: OpenRun) -> Result<Read, SyncError> {
    let mut readers = JoinSet::new();
    let read = read_with(&mut readers, session, open).await;
    // One that is merely told to end may be at work on another thread, and ask for a place once more.
    readers.shutdown().await;
    read
}

async fn read_with(
    readers: &mut JoinSet<()>,
    session: &Session<'_>,
    open: OpenRun,
) -> Result<Read, SyncError> {
    let exports = ExportReader {
        asker: session.asker.clone(),
        keep: open.run.window,
        columns: Arc::default(),
    };
    let (teller, mut told) = mpsc::channel(WAITING);
    let mut writer = Writer {
        session,
        run: open.id,
        mode: open.run.mode,
        late_before: open.run.window.from,
        run_began: open.run.started_at,
        begun: session.ctx.clock.now(),
        exports_came_further: false,
        pace: Pace::new(&open),
        left: open.pending.into(),
        in_hand: BTreeMap::new(),
    };
    loop {
        while let Some(slice) = writer.take() {
            readers.spawn(read(exports.clone(), slice, teller.clone()));
        }
        if writer.in_hand.is_empty() {
            return Ok(Read::Whole);
        }
        let next = async {
            loop {
                tokio::select! {
                    biased;
                    Some(next) = told.recv() => break next,
                    // A reader says how it ended before it does. It only fails by a panic, which
                    // is passed on, or by being aborted, which only shutting them all down does.
                    Some(ended) = readers.join_next() => if let Err(panic) = ended {
                        std::panic::resume_unwind(panic.into_panic());
                    },
                }
            }
        };
        let (number, said) = session.asker.stop.race(next).await?;
        match said {
            Ok(Said::Page(page)) => writer.store(number, page).await?,
            Ok(Said::Became(parts)) => writer.replace(number, &parts).await?,
            Err(SyncError::PostHog(error)) => {
                if let Some(why) = writer.exports_given_up(number, &error) {
                    return Ok(Read::ExportsEnded(why));
                }
                // An export has no smaller one: a query about its rows that is too heavy now is asked
                // again by the next attempt.
                if !error.wants_smaller_query() || writer.is_of_export(number) {
                    return Err(error.into());
                }
                tracing::info!(%error, slice = number, "a slice is split, for PostHog could not answer it whole");
                writer.split(number).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads one slice from where it was left, and tells its pages in their order.
async fn read(exports: ExportReader, slice: PendingSlice, teller: mpsc::Sender<Told>) {
    let number = slice.number;
    let outcome = match slice.slice.export {
        Some(part) => exports.read(&slice, part, &teller).await,
        None => query(&exports.asker, &slice, &teller).await,
    };
    if let Err(error) = outcome {
        // Nobody listens any more when the run has ended for another reason.
        let _ = teller.send((number, Err(error))).await;
    }
}

/// Asks queries for a slice.
async fn query(
    asker: &Asker,
    slice: &PendingSlice,
    teller: &mpsc::Sender<Told>,
) -> Result<(), SyncError> {
    let number = slice.number;
    let mut cursor = slice.cursor;
    loop {
        let deliver = {
            let teller = teller.clone();
            move |page| teller.blocking_send((number, Ok(Said::Page(page)))).is_ok()
        };
        let asked = || asker.ctx.client.read(&slice.slice, cursor, deliver.clone());
        match asker.ask(asked).await? {
            None => return Ok(()),
            more => cursor = more,
        }
    }
}

/// Puts pages into the store, and knows what is left to be read.
struct Writer<'a, 'b> {
    session: &'a Session<'b>,
    run: RunId,
    mode: SyncMode,
    late_before: Timestamp,
    run_began: Timestamp,
    /// When this attempt at the run began to read.
    begun: Timestamp,
    /// Whether this attempt stored a page of an export or took one a step on.
    exports_came_further: bool,
    pace: Pace,
    left: VecDeque<PendingSlice>,
    /// The slices that are being read, each with the place that is stored.
    in_hand: BTreeMap<i64, PendingSlice>,
}

impl Writer<'_, '_> {
    /// The next slice to read, unless enough are being read.
    fn take(&mut self) -> Option<PendingSlice> {
        if self.in_hand.len() >= AT_ONCE {
            return None;
        }
        let slice = self.left.pop_front()?;
        self.in_hand.insert(slice.number, slice.clone());
        Some(slice)
    }

    async fn store(&mut self, number: i64, page: EventPage) -> Result<(), SyncError> {
        let more = page.more;
        let page = Page {
            run: self.run,
            slice: number,
            advance: more.map_or(SliceAdvance::Done, SliceAdvance::To),
            events: page.events,
            late_before: self.late_before,
            cost: self.session.uncharged_cost(),
        };
        let store = &self.session.ctx.store;
        let outcome = store.apply_page(self.session.lease(), page).await?;
        let rows = outcome.rows();
        tracing::debug!(
            slice = number,
            rows,
            stored = outcome.stored,
            duplicates = outcome.duplicates,
            "a page is stored"
        );
        if let Some(slice) = self.in_hand.get_mut(&number) {
            self.exports_came_further |= slice.slice.export.is_some();
            slice.cursor = more;
            let done = more.is_none();
            let reading = self.pace.advance(slice, rows, done);
            self.session.tell(Update::Read(reading));
            if done {
                self.in_hand.remove(&number);
            }
        }
        Ok(())
    }

    /// Why exports are given up, if the slice that failed so is of one.
    fn exports_given_up(&self, number: i64, error: &posthog::Error) -> Option<String> {
        let part = self.in_hand.get(&number)?.slice.export?;
        // Where exports came further in this attempt, an outage has only just begun.
        let since = if self.exports_came_further {
            self.begun
        } else {
            part.since(self.run_began)
        };
        given_up(error, since, self.begun)
    }

    fn is_of_export(&self, number: i64) -> bool {
        let pending = self.in_hand.get(&number);
        pending.is_some_and(|pending| pending.slice.export.is_some())
    }

    /// Puts smaller slices into the place of one that PostHog could not answer.
    async fn split(&mut self, number: i64) -> Result<(), SyncError> {
        let Some(PendingSlice { slice, cursor, .. }) = self.in_hand.get(&number) else {
            return Ok(());
        };
        let parts = slices::halve(slice, *cursor).ok_or(SyncError::TooHeavy { at: slice.from })?;
        self.replace(number, &parts).await
    }

    /// Puts slices into the place of one that is being read.
    async fn replace(&mut self, number: i64, parts: &[Slice]) -> Result<(), SyncError> {
        let whole = self.in_hand.remove(&number);
        let store = &self.session.ctx.store;
        store
            .split_slice(self.session.lease(), self.run, number, parts)
            .await?;
        self.exports_came_further |= whole.is_some_and(|whole| whole.slice.export.is_some());
        self.pace.split(number);
        let open = store.open_run(self.session.id, self.mode).await?;
        self.left = open.map(|open| open.pending.into()).unwrap_or_default();
        self.left
            .retain(|slice| !self.in_hand.contains_key(&slice.number));
        Ok(())
    }
}
