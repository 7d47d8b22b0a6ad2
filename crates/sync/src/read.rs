//! Reads a run's slices: a few at once from PostHog, each in pages that are written one after
//! another as they come. Memory holds a handful of pages, however large the answers, and the store
//! knows the place reached in every slice at any moment.

use std::collections::{BTreeMap, VecDeque};

use domain::slices;
use domain::storage::{OpenRun, Page, PendingSlice, RunId, SliceAdvance};
use domain::sync::SyncMode;
use jiff::Timestamp;
use posthog::EventPage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::ask::Asker;
use crate::error::SyncError;
use crate::pace::Pace;
use crate::progress::Update;
use crate::session::Session;

/// Slices that are read at once: what PostHog allows.
const AT_ONCE: usize = 3;
/// Pages that wait for the writer, beside the one that each reader has in hand.
const WAITING: usize = 1;

/// The number of a slice, and what its reader has to say: its next page, or why there is none.
type Told = (i64, Result<EventPage, SyncError>);

/// Reads what is left of an open run. Stops after the page in flight when asked to.
pub(crate) async fn read_slices(session: &Session<'_>, open: OpenRun) -> Result<(), SyncError> {
    let (teller, mut told) = mpsc::channel(WAITING);
    let mut writer = Writer {
        session,
        run: open.id,
        mode: open.run.mode,
        late_before: open.run.window.from,
        pace: Pace::new(&open),
        left: open.pending.into(),
        in_hand: BTreeMap::new(),
    };
    let mut readers = JoinSet::new();
    loop {
        while let Some(slice) = writer.take() {
            readers.spawn(read(session.asker.clone(), slice, teller.clone()));
        }
        if writer.in_hand.is_empty() {
            return Ok(());
        }
        let next = async {
            loop {
                tokio::select! {
                    biased;
                    Some(next) = told.recv() => break next,
                    // A reader says how it ended before it does. It only fails by a panic, which
                    // is passed on, or by being aborted, which only dropping them all does.
                    Some(ended) = readers.join_next() => if let Err(panic) = ended {
                        std::panic::resume_unwind(panic.into_panic());
                    },
                }
            }
        };
        let (number, page) = session.asker.stop.race(next).await?;
        match page {
            Ok(page) => writer.store(number, page).await?,
            Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                tracing::info!(%error, slice = number, "a slice is split, for PostHog could not answer it whole");
                writer.split(number).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads one slice from where it was left, and tells its pages in their order.
async fn read(asker: Asker, slice: PendingSlice, teller: mpsc::Sender<Told>) {
    let number = slice.number;
    let mut cursor = slice.cursor;
    loop {
        let deliver = {
            let teller = teller.clone();
            move |page| teller.blocking_send((number, Ok(page))).is_ok()
        };
        let asked = || asker.ctx.client.read(&slice.slice, cursor, deliver.clone());
        match asker.ask(asked).await {
            Ok(None) => return,
            Ok(more) => cursor = more,
            Err(error) => {
                // Nobody listens any more when the run has ended for another reason.
                let _ = teller.send((number, Err(error))).await;
                return;
            }
        }
    }
}

/// Puts pages into the store, and knows what is left to be read.
struct Writer<'a, 'b> {
    session: &'a Session<'b>,
    run: RunId,
    mode: SyncMode,
    late_before: Timestamp,
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

    /// Puts smaller slices into the place of one that PostHog could not answer.
    async fn split(&mut self, number: i64) -> Result<(), SyncError> {
        let Some(PendingSlice { slice, cursor, .. }) = self.in_hand.remove(&number) else {
            return Ok(());
        };
        let parts = slices::halve(&slice, cursor).ok_or(SyncError::TooHeavy { at: slice.from })?;
        let store = &self.session.ctx.store;
        store
            .split_slice(self.session.lease(), self.run, number, &parts)
            .await?;
        self.pace.split(number);
        let open = store.open_run(self.session.id, self.mode).await?;
        self.left = open.map(|open| open.pending.into()).unwrap_or_default();
        self.left
            .retain(|slice| !self.in_hand.contains_key(&slice.number));
        Ok(())
    }
}
