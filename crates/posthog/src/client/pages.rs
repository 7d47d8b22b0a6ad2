//! Reading the rows of a slice.

use std::sync::Arc;

use domain::Event;
use domain::sync::{Slice, SliceCursor};

use super::{Client, EventPage};
use crate::error::Error;
use crate::event_row;
use crate::queries::{self, IdColumns};

impl Client {
    /// The rows of a slice after a place in it, at most one answer's worth.
    ///
    /// # Errors
    /// Any of a query's; [`Error::Malformed`] names the row's problem when a row cannot be kept
    /// whole, and nothing of the page is used. [`Error::IdProperty`] when a configured property has a
    /// name that cannot be asked for.
    pub async fn page(
        &self,
        slice: &Slice,
        after: Option<SliceCursor>,
    ) -> Result<EventPage, Error> {
        let id_columns = IdColumns::of(&self.transport.config.id_properties)?;
        let query = queries::page(slice, after, &id_columns, self.page_rows);
        let has_elements = queries::has_elements(&slice.events);
        let properties: Arc<[String]> = id_columns.properties().map(str::to_owned).collect();
        let events = self
            .transport
            .rows(&query, move |row| {
                event_row::read(row, has_elements, &properties)
            })
            .await?;
        if events.len() < query.limit {
            return Ok(EventPage { events, more: None });
        }
        cut_at_whole_key(events).ok_or_else(|| Error::Malformed {
            request: query.name().to_owned(),
            reason: format!(
                "{} rows share one uuid and timestamp, so no next page can be asked for",
                query.limit
            ),
        })
    }
}

/// The place of a row in its slice.
fn place(event: &Event) -> SliceCursor {
    SliceCursor {
        timestamp: event.timestamp,
        uuid: event.uuid,
    }
}

/// A full answer may end between rows that share timestamp and uuid, and the next begins after both.
/// So its last such group is left to the next page. None when there is no other group.
fn cut_at_whole_key(mut events: Vec<Event>) -> Option<EventPage> {
    let last = events.last().map(place)?;
    let whole = events.iter().rposition(|event| place(event) != last)?;
    events.truncate(whole + 1);
    let more = events.last().map(place);
    Some(EventPage { events, more })
}
