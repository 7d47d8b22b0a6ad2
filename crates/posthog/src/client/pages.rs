//! Reading the rows of a slice.

mod pieces;

use std::sync::{Arc, PoisonError};

use domain::sync::{Slice, SliceCursor};

use self::pieces::{Pieces, Reached};
use super::{Client, EventPage};
use crate::answer::{End, each_row};
use crate::error::Error;
use crate::event_row;
use crate::exchange::Body;
use crate::queries::{self, IdColumns, Query};
use crate::transport::{Reading, stream};

impl Client {
    /// Asks once for the rows of a slice after a place in it, at most one answer's worth, and hands
    /// them over in pages of a few thousand while the answer still comes in: memory holds one page,
    /// whatever the answer. `deliver` is called on a thread that may be blocked, and says whether
    /// more is wanted.
    ///
    /// Returns where to go on; none when the last page that was delivered ends the slice. An answer
    /// that breaks off after a page was delivered is as good as a shorter one.
    ///
    /// # Errors
    /// Any of a query's, and nothing was delivered then; [`Error::Malformed`] names the row's problem
    /// when a row cannot be kept whole. [`Error::IdProperty`] when a configured property has a name
    /// that cannot be asked for.
    pub async fn read(
        &self,
        slice: &Slice,
        after: Option<SliceCursor>,
        deliver: impl Fn(EventPage) -> bool + Clone + Send + Sync + 'static,
    ) -> Result<Option<SliceCursor>, Error> {
        let id_columns = IdColumns::of(&self.transport.config.id_properties)?;
        let elements = self.transport.config.reads_elements;
        let query = queries::page(slice, after, &id_columns, elements, self.page_rows);
        let reading = Answer {
            query: &query,
            properties: id_columns.properties().map(str::to_owned).collect(),
            elements,
            reached: Reached::default(),
            deliver,
        };
        self.transport.query(&query, &reading).await
    }
}

/// How one answer is read.
struct Answer<'a, D> {
    query: &'a Query,
    properties: Arc<[String]>,
    elements: bool,
    reached: Reached,
    deliver: D,
}

impl<D> Reading<Option<SliceCursor>> for Answer<'_, D>
where
    D: Fn(EventPage) -> bool + Clone + Send + Sync + 'static,
{
    async fn read(&self, body: Body<'_>) -> Result<Option<SliceCursor>, Error> {
        let query = self.query;
        let (name, columns, limit) = (query.name(), query.columns.clone(), query.limit);
        let (properties, elements) = (Arc::clone(&self.properties), self.elements);
        let mut pieces = Pieces::new(limit, Arc::clone(&self.reached), self.deliver.clone());
        stream(body, name, End::Dropped, move |pipe| {
            each_row(name, pipe, &columns, limit, |row| {
                let (bytes, is_proven) = (row.bytes(), row.is_proven());
                pieces.push(
                    event_row::read(row, &properties, elements)?,
                    bytes,
                    is_proven,
                )
            })?;
            pieces.finish().map_err(|reason| Error::Malformed {
                request: name.to_owned(),
                reason,
            })
        })
        .await
    }

    fn salvage(&self, error: Error) -> Result<Option<SliceCursor>, Error> {
        let reached = *self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if reached.is_none() {
            return Err(error);
        }
        tracing::info!(
            request = self.query.name(),
            reason = error.reason(),
            "PostHog's answer broke off; going on after what came of it."
        );
        Ok(reached)
    }
}
