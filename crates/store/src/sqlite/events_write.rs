//! Storing a page: one transaction over rows, counts, identity facts and the place reached.

use domain::Event;
use domain::merge::{Merged, PlacedEvent, Placement, StoredRow, merge};
use domain::storage::{Lease, Page, PageOutcome, Result};
use jiff::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::epochs::EpochState;
use super::errors::sql;
use super::rows::{Parameters, batches, list_sql, values_sql};
use super::{SqliteStore, counts, event_columns, facts, leases, slices};
use crate::columns::properties_of;

/// Rows of 30 parameters a statement; more gain nothing.
const ROWS: usize = 128;
/// Rows merged at a time: only so many of a page exist twice in memory.
const PORTION: usize = 8192;
/// Uuids looked up with one statement.
const LOOKUPS: usize = 1024;

impl SqliteStore {
    pub(super) async fn store_page(&self, lease: &Lease, page: &Page) -> Result<PageOutcome> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let place = slices::find(&mut tx, epoch, page.run, page.slice).await?;
        let mut outcome = PageOutcome::default();
        if !page.events.is_empty() {
            let mut state = EpochState::load(&mut tx, epoch).await?;
            let mut sorted: Vec<&Event> = page.events.iter().collect();
            sorted.sort_by_key(|event| event.uuid);
            for portion in portions(&sorted, PORTION) {
                let merged = decide(&mut tx, &state, portion, page.late_before).await?;
                write(&mut tx, &mut state, &merged).await?;
                add(&mut outcome, &merged.outcome);
            }
        }
        slices::advance(&mut tx, &place, page, &outcome).await?;
        tx.commit().await.map_err(sql)?;
        Ok(outcome)
    }
}

/// Cuts events sorted by uuid into portions of `rows` or a few more: rows of one uuid stay
/// together, for only one of them wins.
fn portions<'a>(mut sorted: &'a [&'a Event], rows: usize) -> impl Iterator<Item = &'a [&'a Event]> {
    std::iter::from_fn(move || {
        let last = sorted.get(..rows).unwrap_or(sorted).last()?.uuid;
        let (portion, rest) = sorted.split_at(sorted.partition_point(|event| event.uuid <= last));
        sorted = rest;
        Some(portion)
    })
}

fn add(sum: &mut PageOutcome, more: &PageOutcome) {
    sum.stored += more.stored;
    sum.updated += more.updated;
    sum.duplicates += more.duplicates;
    sum.late += more.late;
}

async fn decide(
    connection: &mut SqliteConnection,
    state: &EpochState,
    sent: &[&Event],
    late_before: Timestamp,
) -> Result<Merged> {
    let mut uuids: Vec<Uuid> = sent.iter().map(|event| event.uuid).collect();
    uuids.dedup();
    let stored = stored_rows(connection, state.number, &uuids).await?;
    let events: Vec<Event> = sent.iter().map(|event| (*event).clone()).collect();
    let days = state.edges(sent.iter().map(|event| event.timestamp));
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
    facts::add(connection, state.number, &merged.deltas.facts).await
}

async fn put(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    rows: &[PlacedEvent],
    on_conflict: &str,
) -> Result<()> {
    for batch in batches(rows, ROWS) {
        let mut parameters = Parameters::with_capacity(event_columns::WRITTEN * batch.len());
        for row in batch {
            let change = state.next_change();
            event_columns::bind(&mut parameters, state.number, row, change)?;
        }
        let text = values_sql(
            event_columns::INSERT,
            event_columns::WRITTEN,
            batch.len(),
            on_conflict,
        );
        sqlx::query_with(text, parameters.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_keep_rows_of_one_uuid_together_and_lose_none() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "uuid": Uuid::nil(), "event": "a", "distinct_id": "d",
            "timestamp": "2026-10-24T00:00:00Z", "created_at": "2026-10-24T00:00:00Z",
            "id_properties": {},
        }))
        .unwrap();
        let with_uuid = |number: u128| Event {
            uuid: Uuid::from_u128(number),
            ..event.clone()
        };
        let events: Vec<Event> = [1, 2, 2, 2, 2, 3, 4, 4, 5].map(with_uuid).to_vec();
        let sorted: Vec<&Event> = events.iter().collect();
        for rows in 1..12 {
            let cut: Vec<&[&Event]> = portions(&sorted, rows).collect();
            assert_eq!(cut.concat(), sorted);
            for pair in cut.windows(2) {
                assert!(pair[0].len() >= rows);
                assert!(pair[0].last().unwrap().uuid < pair[1][0].uuid);
            }
        }
        assert_eq!(portions(&[], 3).count(), 0);
    }
}
