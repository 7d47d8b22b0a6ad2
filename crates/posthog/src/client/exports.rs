//! File exports: started, watched and read.

use std::sync::{Arc, PoisonError};

use domain::sync::{SliceCursor, Window};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Client, EventPage};
use crate::answer::End;
use crate::error::Error;
use crate::exchange::Body;
use crate::export::{ExportColumns, File, MOST_ROWS, Reached, types_of};
use crate::queries::{self, IdColumns};
use crate::request::Request;
use crate::transport::{Reading, stream};

/// How far an export is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportState {
    /// PostHog makes it.
    Running,
    /// It is ready.
    Ready {
        /// PostHog's ids of its files; none when there are no events.
        files: Vec<Uuid>,
        /// Rows in all of them, where PostHog says so.
        rows: Option<u64>,
    },
}

/// A file of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportFile {
    /// PostHog's id of the export.
    pub export: Uuid,
    /// PostHog's id of the file.
    pub file: Uuid,
}

#[derive(Debug, Deserialize)]
struct StartedDocument {
    id: Uuid,
}

#[derive(Debug, Deserialize)]
struct StateDocument {
    status: String,
    files: Option<Vec<Uuid>>,
    records_completed: Option<u64>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct TypesDocument {
    types: Option<Vec<Value>>,
}

impl Client {
    /// Learns what of an export's lines makes an event: of each property that is wanted, how PostHog's
    /// queries turn it to what they answer. `window` may be short: nothing is read of its events.
    ///
    /// # Errors
    /// Any of a query's; [`Error::ExportColumn`] for a property of which a file does not tell that.
    pub async fn export_columns(&self, window: Window) -> Result<ExportColumns, Error> {
        let ids = IdColumns::of(&self.transport.config.id_properties)?;
        let elements = self.transport.config.reads_elements;
        let query = queries::property_types(window, &ids, elements);
        let request = Request::query(self.project_id(), &query);
        let answer: TypesDocument = self.transport.document(&request).await?;
        let types = answer.types.ok_or_else(|| Error::Malformed {
            request: request.name.to_owned(),
            reason: "it does not tell the types of its columns".to_owned(),
        })?;
        let columns = queries::page_columns(&ids, elements);
        ExportColumns::of(&columns, &ids, elements, &types_of(types))
    }

    /// Starts an export of what PostHog received in a range: at most a week, which does not end in the
    /// future. Needs `batch_export:write`; PostHog bills it. An answer that is lost may leave behind an
    /// export that nobody reads.
    ///
    /// # Errors
    /// [`Error::ExportsBusy`] when PostHog makes enough others for the project, [`Error::MissingScope`],
    /// [`Error::QuotaExceeded`] among others.
    pub async fn start_export(&self, received: Window) -> Result<Uuid, Error> {
        let request = Request::start_export(self.project_id(), received);
        let started: StartedDocument = self.transport.document(&request).await?;
        Ok(started.id)
    }

    /// How far an export is. The states are those of PostHog/posthog, `products/batch_exports/backend/
    /// models/batch_export.py` (BatchExportRun.Status).
    ///
    /// # Errors
    /// [`Error::ExportFailed`] when it will never be ready.
    pub async fn export_state(&self, export: Uuid) -> Result<ExportState, Error> {
        let request = Request::export(self.project_id(), export);
        let state: StateDocument = self.transport.document(&request).await?;
        match (state.status.as_str(), state.files) {
            ("Starting" | "Running", _) => Ok(ExportState::Running),
            ("Completed", Some(files)) => Ok(ExportState::Ready {
                files,
                rows: state.records_completed,
            }),
            (status, _) => Err(Error::ExportFailed {
                status: one_line(status),
                detail: match state.error {
                    Some(Value::String(text)) => one_line(&text),
                    _ => "PostHog does not say why".to_owned(),
                },
            }),
        }
    }

    /// Reads a file of an export after a place in it, and hands over the events stamped within `keep` in
    /// pages, in the file's order, while it still comes in: memory holds one page, whatever the file.
    /// `deliver` is called on a thread that may be blocked, and says whether more is wanted.
    ///
    /// Returns where to go on when the file broke off after a page was delivered; none when the last page
    /// that was delivered ends it.
    ///
    /// # Errors
    /// [`Error::ExportFile`] when it cannot be had or is not what it should be; any of a request's.
    pub async fn read_export(
        &self,
        file: ExportFile,
        columns: &ExportColumns,
        keep: Window,
        after: Option<SliceCursor>,
        deliver: impl Fn(EventPage) -> bool + Clone + Send + Sync + 'static,
    ) -> Result<Option<SliceCursor>, Error> {
        let request = Request::export_file(self.project_id(), file.export, file.file);
        let reading = Lines {
            request: request.name,
            columns: columns.clone(),
            keep,
            skip: after.map_or(0, SliceCursor::lines),
            reached: Reached::default(),
            most_rows: self.page_rows.min(MOST_ROWS),
            deliver,
        };
        self.transport.read(&request, &reading).await
    }
}

/// How one file is read.
struct Lines<D> {
    request: &'static str,
    columns: ExportColumns,
    keep: Window,
    skip: u64,
    reached: Reached,
    most_rows: usize,
    deliver: D,
}

impl<D> Reading<Option<SliceCursor>> for Lines<D>
where
    D: Fn(EventPage) -> bool + Clone + Send + Sync + 'static,
{
    async fn read(&self, body: Body<'_>) -> Result<Option<SliceCursor>, Error> {
        let request = self.request;
        let file = File {
            columns: self.columns.clone(),
            keep: self.keep,
            skip: self.skip,
            reached: Arc::clone(&self.reached),
            most_rows: self.most_rows,
            deliver: self.deliver.clone(),
        };
        // Cut between two lines a file looks whole.
        stream(body, request, End::Marked, move |pipe| {
            file.read(request, pipe)
        })
        .await?;
        Ok(None)
    }

    fn salvage(&self, error: Error) -> Result<Option<SliceCursor>, Error> {
        let reached = *self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        match reached {
            Some(place) => {
                tracing::info!(
                    request = self.request,
                    reason = error.reason(),
                    "A file of an export broke off; going on after what came of it."
                );
                Ok(Some(place))
            }
            None => Err(error),
        }
    }
}

/// PostHog's words, fit for one line of ours.
fn one_line(text: &str) -> String {
    let words = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    words.take(300).collect()
}
