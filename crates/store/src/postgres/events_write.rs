//! Storing a page: one transaction over rows, counts, identity facts and the place reached.
//!
//! Rows go into their table by one binary COPY, without a staging table between: whoever writes
//! an epoch's events holds its row, so which of the page's uuids are stored cannot change between
//! looking them up and copying. A row that is replaced is removed first, which is what an UPDATE
//! does to it as well, for every index holds a column that changes.

use std::collections::BTreeSet;

use domain::Event;
use domain::merge::{Merged, PlacedEvent, Placement, StoredRow, merge};
use domain::storage::{Lease, Page, PageOutcome, Result};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::copy::{CHUNK, Rows};
use super::epochs;
use super::errors::sql;
use super::events_remove::bury;
use super::statement::query;
use super::{
    PostgresStore, clickmaps_make, counts, event_columns, facts, leases, refusals, slices,
};
use crate::columns::properties_of;
use crate::epoch_state::EpochState;

impl PostgresStore {
    pub(super) async fn store_page(&self, lease: &Lease, mut page: Page) -> Result<PageOutcome> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let place = slices::find(&mut tx, epoch, page.run, page.slice).await?;
        let outcome = if page.events.is_empty() {
            PageOutcome::default()
        } else {
            let mut state = epochs::load(&mut tx, epoch).await?;
            let mut events = std::mem::take(&mut page.events);
            let mut dropped = 0;
            if state.erasures > 0 {
                (events, dropped) = refusals::sift_page(&mut tx, &mut state, events).await?;
            }
            let mut merged = decide(&mut tx, &state, events, page.late_before).await?;
            write(&mut tx, &mut state, &merged).await?;
            merged.outcome.duplicates += dropped;
            merged.outcome
        };
        slices::advance(&mut tx, &place, &page, &outcome).await?;
        tx.commit().await?;
        Ok(outcome)
    }
}

async fn decide(
    connection: &mut PgConnection,
    state: &EpochState,
    events: Vec<Event>,
    late_before: Timestamp,
) -> Result<Merged> {
    let uuids: BTreeSet<Uuid> = events.iter().map(|event| event.uuid).collect();
    let uuids: Vec<Uuid> = uuids.into_iter().collect();
    let stored = stored_rows(connection, state.number, &uuids).await?;
    let days = state.edges(events.iter().map(|event| event.timestamp));
    let placement = Placement {
        mapping: &state.mapping,
        days: &days,
        id_properties: &properties_of(&stored, &events),
    };
    Ok(merge(&stored, events, &placement, late_before))
}

/// The stored rows of these uuids, each looked up by itself in the primary key. Without a limit on
/// each, a planner that knows nothing of the table yet, as in a first backfill, reads the epoch whole.
pub(super) async fn stored_rows(
    connection: &mut PgConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<Vec<StoredRow>> {
    query(AssertSqlSafe(format!(
        "SELECT e.* FROM unnest($2::uuid[]) AS u (uuid)
         CROSS JOIN LATERAL ({} FROM events WHERE epoch = $1 AND uuid = u.uuid LIMIT 1) AS e",
        event_columns::SELECT_STORED
    )))
    .bind(epoch)
    .bind(uuids)
    .fetch_all(connection)
    .await
    .map_err(sql)?
    .iter()
    .map(event_columns::decode_stored)
    .collect()
}

async fn write(
    connection: &mut PgConnection,
    state: &mut EpochState,
    merged: &Merged,
) -> Result<()> {
    if merged.inserts.is_empty() && merged.replacements.is_empty() {
        return Ok(());
    }
    if !merged.moved_back.is_empty() {
        bury(connection, state, &merged.moved_back).await?;
    }
    let replaced: Vec<Uuid> = merged
        .replacements
        .iter()
        .map(|placed| placed.event.uuid)
        .collect();
    remove_rows(connection, state.number, &replaced).await?;
    copy(
        connection,
        state,
        merged.inserts.iter().chain(&merged.replacements),
    )
    .await?;
    epochs::save_change_seq(connection, state).await?;
    counts::add(connection, state, &merged.deltas).await?;
    clickmaps_make::mark(connection, state.number, &merged.deltas.clickmap_days).await?;
    facts::add(connection, state, &merged.deltas.facts).await
}

/// Removes the rows of these uuids and nothing that follows from them.
pub(super) async fn remove_rows(
    connection: &mut PgConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<()> {
    if uuids.is_empty() {
        return Ok(());
    }
    query(
        "DELETE FROM events WHERE epoch = $1 AND ctid = ANY (ARRAY(
            SELECT e.place FROM unnest($2::uuid[]) AS u (uuid)
            CROSS JOIN LATERAL (
                SELECT ctid AS place FROM events WHERE epoch = $1 AND uuid = u.uuid LIMIT 1
            ) AS e
         ))",
    )
    .bind(epoch)
    .bind(uuids)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

async fn copy(
    connection: &mut PgConnection,
    state: &mut EpochState,
    placed: impl Iterator<Item = &PlacedEvent>,
) -> Result<()> {
    let mut copy = connection
        .copy_in_raw(event_columns::COPY)
        .await
        .map_err(sql)?;
    let mut rows = Rows::new(event_columns::WRITTEN, CHUNK + CHUNK / 4);
    for row in placed {
        let change = state.next_change();
        event_columns::encode(&mut rows, state.number, row, change)?;
        if rows.bytes().len() >= CHUNK {
            copy.send(rows.bytes()).await.map_err(sql)?;
            rows.clear();
        }
    }
    rows.end();
    copy.send(rows.bytes()).await.map_err(sql)?;
    copy.finish().await.map_err(sql)?;
    Ok(())
}
