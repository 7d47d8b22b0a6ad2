//! Reads events from PostHog's file exports: each step of an export is a slice, and whoever reads one
//! tells its rows or what comes in its place. Nothing is kept between two steps but what the store has.

use std::sync::Arc;
use std::time::Duration;

use domain::storage::PendingSlice;
use domain::sync::{ExportPart, Slice, SliceCursor, Window};
use jiff::{SignedDuration, Timestamp};
use posthog::{Error, EventPage, ExportColumns, ExportFile, ExportState};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::Instant;
use uuid::Uuid;

use crate::ask::Asker;
use crate::error::SyncError;
use crate::read::{Said, Told};

/// PostHog's exports take minutes. One that is not ready after this is given up, and so is one that came no
/// further for this long before an attempt that fails at it again, and in which no other came further.
const LONGEST_EXPORT: SignedDuration = SignedDuration::from_hours(3);
/// So long an export waits for others of the project, perhaps another tool's, to end.
const LONGEST_QUEUE: Duration = Duration::from_secs(3600);
/// The longest pause between two looks at an export.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What PostHog's types are asked of: a window of hardly any rows.
const SHORT: SignedDuration = SignedDuration::from_mins(1);

/// Reads the slices of exports.
#[derive(Clone)]
pub(crate) struct ExportReader {
    pub(crate) asker: Asker,
    /// The window of the run: an export also has events that are stamped beyond it.
    pub(crate) keep: Window,
    pub(crate) columns: Arc<OnceCell<ExportColumns>>,
}

impl ExportReader {
    /// Takes an export one step on and tells what came of it.
    ///
    /// # Errors
    /// [`SyncError::PostHog`] with an error that ends exports when they are of no use; others as ever.
    pub(crate) async fn read(
        &self,
        pending: &PendingSlice,
        part: ExportPart,
        teller: &mpsc::Sender<Told>,
    ) -> Result<(), SyncError> {
        let slice = &pending.slice;
        let parts = match part {
            ExportPart::Wanted => vec![self.start(slice).await?],
            ExportPart::Started { export, since } => {
                let overdue = since + LONGEST_EXPORT;
                self.files(slice, export, overdue).await?
            }
            ExportPart::File { export, file, .. } => {
                let file = ExportFile { export, file };
                return self
                    .rows(file, pending.number, pending.cursor, teller)
                    .await;
            }
        };
        let said = if parts.is_empty() {
            Said::Page(EventPage {
                events: Vec::new(),
                more: None,
            })
        } else {
            Said::Became(parts)
        };
        // Nobody listens any more when the run has ended for another reason.
        let _ = teller.send((pending.number, Ok(said))).await;
        Ok(())
    }

    /// Has PostHog begin, once it makes fewer others for the project.
    async fn start(&self, slice: &Slice) -> Result<Slice, SyncError> {
        let asker = &self.asker;
        let received = Window {
            from: slice.from,
            to: slice.to,
        };
        let begun = Instant::now();
        let mut pause = self.pauses();
        loop {
            match asker.ask(|| asker.ctx.client.start_export(received)).await {
                Ok(export) => {
                    tracing::info!(%export, from = %slice.from, to = %slice.to, "PostHog makes files of what it received.");
                    let since = asker.ctx.clock.now();
                    let part = ExportPart::Started { export, since };
                    return Ok(Slice {
                        export: Some(part),
                        ..slice.clone()
                    });
                }
                Err(SyncError::PostHog(Error::ExportsBusy)) if begun.elapsed() < LONGEST_QUEUE => {}
                Err(error) => return Err(error),
            }
            let pause = pause.next().unwrap_or(LONGEST_PAUSE);
            asker.stop.race(tokio::time::sleep(pause)).await?;
        }
    }

    /// Waits until an export is ready, and gives its files a slice each.
    async fn files(
        &self,
        slice: &Slice,
        export: Uuid,
        overdue: Timestamp,
    ) -> Result<Vec<Slice>, SyncError> {
        let asker = &self.asker;
        let mut pause = self.pauses();
        loop {
            let state = asker.ask(|| asker.ctx.client.export_state(export)).await?;
            if let ExportState::Ready { files, rows } = state {
                let rows = rows.unwrap_or(slice.expected_rows);
                let share = rows / (files.len() as u64).max(1);
                let since = Some(asker.ctx.clock.now());
                let part = |file| Slice {
                    export: Some(ExportPart::File {
                        export,
                        file,
                        since,
                    }),
                    expected_rows: share,
                    ..slice.clone()
                };
                return Ok(files.into_iter().map(part).collect());
            }
            if asker.ctx.clock.now() > overdue {
                return Err(SyncError::PostHog(Error::ExportFailed {
                    status: "Running".to_owned(),
                    detail: format!("it was not ready after {} hours", LONGEST_EXPORT.as_hours()),
                }));
            }
            let pause = pause.next().unwrap_or(LONGEST_PAUSE);
            asker.stop.race(tokio::time::sleep(pause)).await?;
        }
    }

    /// Reads a file from where it was left, and tells its pages in their order.
    async fn rows(
        &self,
        file: ExportFile,
        number: i64,
        mut cursor: Option<SliceCursor>,
        teller: &mpsc::Sender<Told>,
    ) -> Result<(), SyncError> {
        let columns = self
            .columns
            .get_or_try_init(|| columns(&self.asker))
            .await?;
        let client = &self.asker.ctx.client;
        loop {
            let deliver = {
                let teller = teller.clone();
                move |page| teller.blocking_send((number, Ok(Said::Page(page)))).is_ok()
            };
            let read = || client.read_export(file, columns, self.keep, cursor, deliver.clone());
            match self.asker.ask(read).await? {
                None => return Ok(()),
                more => cursor = more,
            }
        }
    }

    fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let longest = LONGEST_PAUSE.min(self.asker.ctx.retry.longest_wait);
        std::iter::successors(Some(self.asker.ctx.retry.first_wait), move |pause| {
            Some((*pause * 2).min(longest))
        })
    }
}

/// Why an export that fails so ends the way by exports; none where the next attempt goes on with it.
/// `since` is when it came as far as it is, `begun` when this attempt began: what failed this long ago and
/// still fails does not pass by itself, such as a network policy that lets nobody to the files. Whoever
/// knows that exports came further in this attempt says that it was `since` then.
pub(crate) fn given_up(error: &Error, since: Timestamp, begun: Timestamp) -> Option<String> {
    let is_overdue = begun.duration_since(since) >= LONGEST_EXPORT;
    let may_pass = error.is_outage() || error.wants_smaller_query();
    if error.ends_exports() {
        Some(error.to_string())
    } else if may_pass && is_overdue {
        let hours = LONGEST_EXPORT.as_hours();
        Some(format!("{error} (it came no further for {hours} hours)"))
    } else {
        None
    }
}

/// What makes an event of an export's line.
pub(crate) async fn columns(asker: &Asker) -> Result<ExportColumns, SyncError> {
    let to = asker.ctx.clock.now();
    let window = Window {
        from: to - SHORT,
        to,
    };
    asker.ask(|| asker.ctx.client.export_columns(window)).await
}
