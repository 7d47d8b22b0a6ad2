//! Counting: the plan's cells, the recount's days, a day's uuids.

use domain::event::EventName;
use domain::sync::{Arrivals, Window};
use jiff::civil::Date;
use uuid::Uuid;

use super::{Cell, Client, UuidPage};
use crate::answer::Row;
use crate::error::Error;
use crate::queries;

impl Client {
    /// Rows by UTC day and event, of the window and, in the same query, of what arrived late:
    /// timestamp in `[min(window.from, arrivals.from), window.to)` and (timestamp not before
    /// `window.from` or `created_at` not before `arrivals.since`).
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn count_cells(
        &self,
        window: Window,
        arrivals: Option<Arrivals>,
    ) -> Result<Vec<Cell>, Error> {
        let mut cells: Vec<Cell> = Vec::new();
        loop {
            let after = cells.last().map(|last| (last.day, last.event.as_str()));
            let query = queries::count_cells(window, arrivals, after, self.page_rows);
            let found = self
                .transport
                .rows(&query, |row| {
                    Ok(Cell {
                        day: row.day()?,
                        event: EventName::new(row.text()?),
                        rows: row.count()?,
                    })
                })
                .await?;
            let is_full = found.len() == query.limit;
            cells.extend(found);
            if !is_full {
                return Ok(cells);
            }
        }
    }

    /// Distinct events of each UTC day of `[from, to)` by the winner rule; days without events are
    /// not among the answers.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn recount(&self, from: Date, to: Date) -> Result<Vec<(Date, u64)>, Error> {
        self.transport
            .rows(&queries::recount(from, to), |row| {
                Ok((row.day()?, row.count()?))
            })
            .await
    }

    /// The uuids whose winning row lies on a UTC day, after a uuid in text order.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn uuids_of_day(&self, day: Date, after: Option<Uuid>) -> Result<UuidPage, Error> {
        let query = queries::uuids_of_day(day, after, self.page_rows);
        let uuids = self.transport.rows(&query, only_uuid).await?;
        let is_full = uuids.len() == query.limit;
        let next = uuids.last().copied().filter(|_| is_full);
        Ok(UuidPage { uuids, next })
    }
}

fn only_uuid(row: &mut Row<'_>) -> Result<Uuid, String> {
    row.uuid()
}
