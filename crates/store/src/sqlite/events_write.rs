//! Storing a page: one transaction over rows, counts, identity facts and the place reached.

use std::collections::BTreeSet;

use domain::Event;
use domain::merge::{Merged, PlacedEvent, Placement, StoredRow, merge};
use domain::storage::{Lease, Page, PageOutcome, Result};
use jiff::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::epochs::EpochState;
use super::errors::sql;
use super::events_remove::bury;
use super::rows::{Parameters, WriteRows, batches, list_sql};
use super::{SqliteStore, clickmaps_make, counts, event_columns, facts, leases, refusals, slices};
use crate::columns::properties_of;

/// Rows of 31 parameters a statement; more gain nothing.
const ROWS: usize = 128;
/// Uuids looked up with one statement.
const LOOKUPS: usize = 1024;

impl SqliteStore {
    pub(super) async fn store_page(&self, lease: &Lease, mut page: Page) -> Result<PageOutcome> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let place = slices::find(&mut tx, epoch, page.run, page.slice).await?;
        let outcome = if page.events.is_empty() {
            PageOutcome::default()
        } else {
            let mut state = EpochState::load(&mut tx, epoch).await?;
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
        tx.commit().await.map_err(sql)?;
        Ok(outcome)
    }
}

async fn decide(
    connection: &mut SqliteConnection,
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

/// The stored rows of these uuids.
pub(super) async fn stored_rows(
    connection: &mut SqliteConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<Vec<StoredRow>> {
    let mut found = Vec::new();
    for batch in batches(uuids, LOOKUPS) {
        let text = list_sql(
            &format!(
                "{} FROM events WHERE epoch = ? AND uuid IN",
                event_columns::SELECT_STORED
            ),
            batch.len(),
            "",
        );
        let mut parameters = Parameters::with_capacity(1 + batch.len());
        parameters.add(epoch)?;
        for uuid in batch {
            parameters.add(*uuid)?;
        }
        let rows = sqlx::query_with(text, parameters.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
        for row in &rows {
            found.push(event_columns::decode_stored(row)?);
        }
    }
    Ok(found)
}

async fn write(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    merged: &Merged,
) -> Result<()> {
    if merged.inserts.is_empty() && merged.replacements.is_empty() {
        return Ok(());
    }
    if !merged.moved_back.is_empty() {
        bury(connection, state, &merged.moved_back).await?;
    }
    put(connection, state, &merged.inserts, "").await?;
    put(
        connection,
        state,
        &merged.replacements,
        event_columns::REPLACE,
    )
    .await?;
    state.save_change_seq(connection).await?;
    counts::add(connection, state, &merged.deltas).await?;
    clickmaps_make::mark(connection, state.number, &merged.deltas.clickmap_days).await?;
    facts::add(connection, state, &merged.deltas.facts).await
}

async fn put(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    rows: &[PlacedEvent],
    on_conflict: &str,
) -> Result<()> {
    let write = WriteRows {
        before: event_columns::INSERT,
        columns: event_columns::WRITTEN,
        after: on_conflict,
        most: ROWS,
    };
    write
        .run(connection, rows, |to, row| {
            let change = state.next_change();
            event_columns::bind(to, state.number, row, change)
        })
        .await?;
    Ok(())
}
