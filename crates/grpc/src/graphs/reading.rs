//! Fills a graph from the store, and keeps it up.

use std::time::Instant;

use domain::ConnectionId;
use domain::identity::links_after;
use domain::storage::StoreError;

use super::Graphs;
use super::held::Graph;
use crate::reads::ReadStore;

/// Links that are read at once.
const LINKS_AT_ONCE: usize = 10_000;

/// Where reading has led to.
enum Read {
    /// The graph holds all.
    All,
    /// There is nothing to hold any more.
    Gone,
    /// It is larger than the room for it, in bytes.
    TooLarge(usize),
    /// The server drains.
    Drained,
}

impl<S: ReadStore + ?Sized + 'static> Graphs<S> {
    /// Reads what a connection's graph lacks, beside the call that found it lacking, unless somebody does so
    /// already.
    pub(super) fn read(&self, connection: ConnectionId) {
        let Some(reader) = self.shelf.reader(connection) else {
            return;
        };
        let graphs = self.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            let was_empty = reader.graph.is_empty();
            match graphs.read_on(connection, &reader.graph).await {
                Ok(Read::All) if was_empty => tracing::info!(
                    %connection,
                    seconds = begun.elapsed().as_secs_f64(),
                    "Identities are resolved from memory from now on."
                ),
                Ok(Read::TooLarge(bytes)) => tracing::info!(
                    %connection,
                    bytes,
                    "Identities are resolved from the store: the graph of them does not fit into the memory for graphs. \
                     Give it more by --identity-memory-mib if calls should be faster."
                ),
                Ok(Read::Gone) => graphs.shelf.forget(connection),
                Ok(Read::All | Read::Drained) => {}
                // Calls go on from the store.
                Err(error) => {
                    graphs.shelf.failed(connection, Instant::now());
                    tracing::warn!(%connection, %error, "Links could not be read into memory.");
                }
            }
        });
    }

    async fn read_on(&self, connection: ConnectionId, graph: &Graph) -> Result<Read, StoreError> {
        let mut filling = None;
        while !self.draining.is_cancelled() {
            let Some(epoch) = self.store.epoch(connection).await? else {
                return Ok(Read::Gone);
            };
            let place = graph.place(&epoch);
            if !place.is_in_first_pass() {
                filling = None;
            } else if filling.is_none() {
                filling = self.filling.acquire().await.ok();
                // The wait may have been long.
                continue;
            }
            let following = match filling {
                Some(_) => None,
                None => self.following.acquire().await.ok(),
            };
            let begun = Instant::now();
            let batch = links_after(&*self.store, connection, &place, LINKS_AT_ONCE).await?;
            drop(following);
            if batch.is_lost {
                continue;
            }
            let caught_up = batch.caught_up;
            let bytes = graph.take(&epoch, batch);
            if !self.shelf.has_room(connection, bytes, Instant::now()) {
                return Ok(Read::TooLarge(bytes));
            }
            if caught_up {
                return Ok(Read::All);
            }
            if filling.is_none() {
                // A backfill writes for an hour as fast as this reads: leave the database half of the time.
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
        Ok(Read::Drained)
    }
}
