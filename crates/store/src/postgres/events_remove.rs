//! Removing events: those that PostHog no longer has, and those past retention.

use std::collections::BTreeSet;

use domain::identity::IdProperty;
use domain::merge::{Deltas, StoredRow};
use domain::storage::{Lease, Result};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::errors::sql;
use super::events_write::{remove_rows, stored_rows};
use super::statement::query;
use super::values::{DAY, limit, micros};
use super::{PostgresStore, clickmaps_make, counts, epochs, event_columns, facts, leases};
use crate::columns::any_kind;
use crate::epoch_state::EpochState;

/// Events removed in one transaction: the epoch's row is held that long.
const BATCH: usize = 4096;
/// What a tombstone would tell is past retention too.
pub(super) const EXPIRE_TOMBSTONES: [&str; 2] = [
    "DELETE FROM event_deletions WHERE epoch = $1 AND timestamp < $2",
    "DELETE FROM erased_events WHERE epoch = $1 AND timestamp < $2",
];

impl PostgresStore {
    pub(super) async fn delete_events(&self, lease: &Lease, uuids: &[Uuid]) -> Result<u64> {
        // Named twice, an event must not be taken out of the counts twice.
        let uuids: BTreeSet<Uuid> = uuids.iter().copied().collect();
        let uuids: Vec<Uuid> = uuids.into_iter().collect();
        let mut removed = 0;
        for chunk in uuids.chunks(BATCH) {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let mut state = epochs::load(&mut tx, epoch).await?;
            let doomed = stored_rows(&mut tx, epoch, chunk).await?;
            if !doomed.is_empty() {
                bury(&mut tx, &mut state, &doomed).await?;
                remove(&mut tx, &mut state, &doomed).await?;
            }
            tx.commit().await?;
            removed += doomed.len() as u64;
        }
        Ok(removed)
    }

    pub(super) async fn delete_expired(&self, lease: &Lease, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let mut state = epochs::load(&mut tx, epoch).await?;
            let rows = query(AssertSqlSafe(format!(
                "{} FROM events WHERE epoch = $1 AND timestamp < $2
                 ORDER BY timestamp, uuid LIMIT $3",
                event_columns::SELECT_STORED
            )))
            .bind(epoch)
            .bind(micros(before))
            .bind(limit(BATCH))
            .fetch_all(&mut *tx)
            .await
            .map_err(sql)?;
            let doomed = rows
                .iter()
                .map(event_columns::decode_stored)
                .collect::<Result<Vec<_>>>()?;
            if doomed.is_empty() {
                for remove in EXPIRE_TOMBSTONES {
                    query(remove)
                        .bind(epoch)
                        .bind(micros(before))
                        .execute(&mut *tx)
                        .await
                        .map_err(sql)?;
                }
                // So is what was proven of days that are no longer whole.
                query("DELETE FROM day_verdicts WHERE epoch = $1 AND day * $3 < $2")
                    .bind(epoch)
                    .bind(micros(before))
                    .bind(DAY)
                    .execute(&mut *tx)
                    .await
                    .map_err(sql)?;
                tx.commit().await?;
                self.forget_fact_changes(lease, before).await?;
                return Ok(removed);
            }
            remove(&mut tx, &mut state, &doomed).await?;
            tx.commit().await?;
            removed += doomed.len() as u64;
        }
    }
}

/// Leaves a tombstone for each row, for followers. It stays for as long as one of them may hold any
/// row of that uuid.
pub(super) async fn bury(
    connection: &mut PgConnection,
    state: &mut EpochState,
    rows: &[StoredRow],
) -> Result<()> {
    let uuids: Vec<Uuid> = rows.iter().map(|row| row.uuid).collect();
    let stamps: Vec<i64> = rows.iter().map(|row| micros(row.timestamp)).collect();
    let changes: Vec<i64> = rows.iter().map(|_| state.next_change()).collect();
    query(
        "INSERT INTO event_deletions (epoch, uuid, timestamp, change_seq)
         SELECT $1, d.* FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS d
         ON CONFLICT (epoch, uuid) DO UPDATE SET
            timestamp = greatest(event_deletions.timestamp, excluded.timestamp),
            change_seq = excluded.change_seq",
    )
    .bind(state.number)
    .bind(uuids)
    .bind(stamps)
    .bind(changes)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    epochs::save_change_seq(connection, state).await
}

/// Removes rows with their effect on counts and identity facts.
pub(super) async fn remove(
    connection: &mut PgConnection,
    state: &mut EpochState,
    doomed: &[StoredRow],
) -> Result<()> {
    let names: BTreeSet<&str> = doomed
        .iter()
        .flat_map(|row| row.id_properties.keys().map(String::as_str))
        .collect();
    let properties: Vec<_> = names.into_iter().map(any_kind).collect();
    let deltas = take_out(connection, state, doomed, &properties).await?;
    facts::add(connection, state, &deltas.facts).await
}

/// Removes rows with their effect on counts; what it does to identity facts is answered.
pub(super) async fn take_out(
    connection: &mut PgConnection,
    state: &EpochState,
    doomed: &[StoredRow],
    properties: &[IdProperty],
) -> Result<Deltas> {
    let uuids: Vec<Uuid> = doomed.iter().map(|row| row.uuid).collect();
    remove_rows(connection, state.number, &uuids).await?;
    let edges = state.edges(doomed.iter().map(|row| row.timestamp));
    let deltas = Deltas::of_removal(doomed, &edges, properties);
    counts::add(connection, state, &deltas).await?;
    clickmaps_make::mark(connection, state.number, &deltas.clickmap_days).await?;
    Ok(deltas)
}
