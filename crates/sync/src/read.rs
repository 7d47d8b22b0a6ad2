//! Reads a run's slices: a few at once from PostHog, written one page after another, so that
//! memory holds a few pages at most and the store knows the place reached at any moment.

use std::collections::VecDeque;

use domain::slices;
use domain::storage::{OpenRun, Page, PendingSlice, RunId, SliceAdvance};
use domain::sync::{SliceCursor, SyncMode};
use jiff::Timestamp;
use posthog::EventPage;
use tokio_util::task::AbortOnDropHandle;

use crate::ask::Asker;
use crate::error::SyncError;
use crate::pace::Pace;
use crate::progress::Update;
use crate::session::Session;

/// Slices whose first page is asked for ahead of the writer: what PostHog allows at once.
const READ_AHEAD: usize = 3;

type Answer = Result<EventPage, SyncError>;

/// Reads what is left of an open run. Stops after the page in flight when asked to.
pub(crate) async fn read_slices(session: &Session<'_>, open: OpenRun) -> Result<(), SyncError> {
    let (run, mode, late_before) = (open.id, open.run.mode, open.run.window.from);
    let mut pace = Pace::new(&open);
    let mut queue: VecDeque<PendingSlice> = open.pending.into();
    let mut ahead: VecDeque<(PendingSlice, AbortOnDropHandle<Answer>)> = VecDeque::new();
    loop {
        while ahead.len() < READ_AHEAD
            && let Some(slice) = queue.pop_front()
        {
            let task = tokio::spawn(fetch(session.asker.clone(), slice.clone(), slice.cursor));
            ahead.push_back((slice, AbortOnDropHandle::new(task)));
        }
        let Some((slice, task)) = ahead.pop_front() else {
            return Ok(());
        };
        // A task only fails by a panic, which is passed on, or by being aborted, which only
        // dropping its handle does.
        let first = match session.asker.stop.race(task).await? {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let reader = SliceReader {
            session,
            run,
            late_before,
        };
        match reader.store_all(&slice, first, &mut pace).await? {
            Outcome::Done => {}
            Outcome::Split => {
                queue = pending(session, mode).await?;
                queue.retain(|slice| ahead.iter().all(|(taken, _)| taken.number != slice.number));
            }
        }
    }
}

enum Outcome {
    /// The slice is stored whole.
    Done,
    /// The slice was replaced by smaller ones.
    Split,
}

struct SliceReader<'a, 'b> {
    session: &'a Session<'b>,
    run: RunId,
    late_before: Timestamp,
}

impl SliceReader<'_, '_> {
    /// Stores a slice page by page, beginning with an answer already there.
    async fn store_all(
        &self,
        slice: &PendingSlice,
        first: Answer,
        pace: &mut Pace,
    ) -> Result<Outcome, SyncError> {
        let mut cursor = slice.cursor;
        let mut answer = first;
        loop {
            let page = match answer {
                Ok(page) => page,
                Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                    tracing::info!(%error, slice = slice.number, "a slice is split, for PostHog could not answer it whole");
                    self.split(slice, cursor).await?;
                    pace.split();
                    return Ok(Outcome::Split);
                }
                Err(error) => return Err(error),
            };
            let (rows, more) = (page.events.len() as u64, page.more);
            self.store(slice.number, page).await?;
            self.session.tell(Update::Read(pace.advance(
                &slice.slice,
                rows,
                more.is_none(),
            )));
            let Some(place) = more else {
                return Ok(Outcome::Done);
            };
            self.session.asker.stop.check()?;
            cursor = Some(place);
            answer = fetch(self.session.asker.clone(), slice.clone(), cursor).await;
        }
    }

    async fn store(&self, slice: i64, page: EventPage) -> Result<(), SyncError> {
        let page = Page {
            run: self.run,
            slice,
            advance: page.more.map_or(SliceAdvance::Done, SliceAdvance::To),
            events: page.events,
            late_before: self.late_before,
            cost: self.session.uncharged_cost(),
        };
        let store = &self.session.ctx.store;
        let outcome = store.apply_page(self.session.lease(), &page).await?;
        tracing::debug!(
            slice,
            rows = page.events.len(),
            stored = outcome.stored,
            duplicates = outcome.duplicates,
            "a page is stored"
        );
        Ok(())
    }

    async fn split(
        &self,
        slice: &PendingSlice,
        cursor: Option<SliceCursor>,
    ) -> Result<(), SyncError> {
        let parts = slices::halve(&slice.slice, cursor).ok_or(SyncError::TooHeavy {
            at: slice.slice.from,
        })?;
        let store = &self.session.ctx.store;
        store
            .split_slice(self.session.lease(), self.run, slice.number, &parts)
            .await?;
        Ok(())
    }
}

async fn fetch(asker: Asker, slice: PendingSlice, cursor: Option<SliceCursor>) -> Answer {
    asker
        .ask(|| asker.ctx.client.page(&slice.slice, cursor))
        .await
}

async fn pending(
    session: &Session<'_>,
    mode: SyncMode,
) -> Result<VecDeque<PendingSlice>, SyncError> {
    let open = session.ctx.store.open_run(session.id, mode).await?;
    Ok(open.map(|open| open.pending.into()).unwrap_or_default())
}
