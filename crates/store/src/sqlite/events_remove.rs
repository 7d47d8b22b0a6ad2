//! Removing events: those that PostHog no longer has, and those past retention.

use std::collections::BTreeSet;

use domain::identity::IdProperty;
use domain::merge::{Deltas, StoredRow};
use domain::storage::{Lease, Result};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;

use super::epochs::EpochState;
use super::errors::sql;
use super::rows::{Parameters, WriteRows, batches, list_sql};
use super::values::{DAY, limit, micros};
use super::{SqliteStore, clickmaps_make, counts, event_columns, facts, leases};
use crate::columns::any_kind;

/// Events removed in one transaction: others wait that long for the file.
const BATCH: usize = 4096;
/// Rows named with one statement.
const ROWS: usize = 512;
/// What a tombstone would tell is past retention too.
pub(super) const EXPIRE_TOMBSTONES: [&str; 2] = [
    "DELETE FROM event_deletions WHERE epoch = ? AND timestamp < ?",
    "DELETE FROM erased_events WHERE epoch = ? AND timestamp < ?",
];

/// Stored rows with their rowids.
#[derive(Default)]
pub(super) struct Doomed {
    pub(super) rows: Vec<StoredRow>,
    rowids: Vec<i64>,
}

impl SqliteStore {
    pub(super) async fn delete_events(&self, lease: &Lease, uuids: &[Uuid]) -> Result<u64> {
        // Named twice, an event must not be taken out of the counts twice.
        let uuids: BTreeSet<Uuid> = uuids.iter().copied().collect();
        let uuids: Vec<Uuid> = uuids.into_iter().collect();
        let mut removed = 0;
        for chunk in uuids.chunks(BATCH) {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let mut state = EpochState::load(&mut tx, epoch).await?;
            let doomed = find(&mut tx, epoch, chunk).await?;
            if !doomed.rows.is_empty() {
                bury(&mut tx, &mut state, &doomed.rows).await?;
                remove(&mut tx, &mut state, &doomed).await?;
            }
            tx.commit().await.map_err(sql)?;
            removed += doomed.rows.len() as u64;
        }
        Ok(removed)
    }

    pub(super) async fn delete_expired(&self, lease: &Lease, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let mut state = EpochState::load(&mut tx, epoch).await?;
            let rows = sqlx::query(AssertSqlSafe(format!(
                "{} FROM events INDEXED BY events_by_time WHERE epoch = ? AND timestamp < ?
                 ORDER BY timestamp, uuid LIMIT ?",
                event_columns::SELECT_STORED
            )))
            .bind(epoch)
            .bind(micros(before))
            .bind(limit(BATCH))
            .fetch_all(&mut *tx)
            .await
            .map_err(sql)?;
            let mut doomed = Doomed::default();
            doomed.extend(&rows)?;
            if doomed.rows.is_empty() {
                for remove in EXPIRE_TOMBSTONES {
                    sqlx::query(remove)
                        .bind(epoch)
                        .bind(micros(before))
                        .execute(&mut *tx)
                        .await
                        .map_err(sql)?;
                }
                // So is what was proven of days that are no longer whole.
                sqlx::query("DELETE FROM day_verdicts WHERE epoch = ?1 AND day * ?3 < ?2")
                    .bind(epoch)
                    .bind(micros(before))
                    .bind(DAY)
                    .execute(&mut *tx)
                    .await
                    .map_err(sql)?;
                tx.commit().await.map_err(sql)?;
                self.forget_fact_changes(lease, before).await?;
                return Ok(removed);
            }
            remove(&mut tx, &mut state, &doomed).await?;
            tx.commit().await.map_err(sql)?;
            removed += doomed.rows.len() as u64;
        }
    }
}

impl Doomed {
    pub(super) fn extend(&mut self, rows: &[SqliteRow]) -> Result<()> {
        for row in rows {
            self.rows.push(event_columns::decode_stored(row)?);
            self.rowids.push(event_columns::rowid(row)?);
        }
        Ok(())
    }
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<Doomed> {
    let mut doomed = Doomed::default();
    for batch in batches(uuids, ROWS) {
        let mut parameters = Parameters::with_capacity(1 + batch.len());
        parameters.add(epoch)?;
        for uuid in batch {
            parameters.add(*uuid)?;
        }
        let text = list_sql(
            &format!(
                "{} FROM events WHERE epoch = ? AND uuid IN",
                event_columns::SELECT_STORED
            ),
            batch.len(),
            "",
        );
        let rows = sqlx::query_with(text, parameters.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
        doomed.extend(&rows)?;
    }
    Ok(doomed)
}

/// Leaves a tombstone for each row, for followers. It stays for as long as one of them may hold any
/// row of that uuid.
pub(super) async fn bury(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    rows: &[StoredRow],
) -> Result<()> {
    let write = WriteRows {
        before: "INSERT INTO event_deletions (epoch, uuid, timestamp, change_seq) VALUES",
        columns: 4,
        after: "ON CONFLICT (epoch, uuid) DO UPDATE SET
                timestamp = max(timestamp, excluded.timestamp), change_seq = excluded.change_seq",
        most: ROWS,
    };
    write
        .run(connection, rows, |to, row| {
            to.add(state.number)?;
            to.add(row.uuid)?;
            to.add(micros(row.timestamp))?;
            to.add(state.next_change())
        })
        .await?;
    state.save_change_seq(connection).await
}

/// Removes rows with their effect on counts and identity facts.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    doomed: &Doomed,
) -> Result<()> {
    let names: BTreeSet<&str> = doomed
        .rows
        .iter()
        .flat_map(|row| row.id_properties.keys().map(String::as_str))
        .collect();
    let properties: Vec<_> = names.into_iter().map(any_kind).collect();
    let deltas = take_out(connection, state, doomed, &properties).await?;
    facts::add(connection, state, &deltas.facts).await
}

/// Removes rows with their effect on counts; what it does to identity facts is answered.
pub(super) async fn take_out(
    connection: &mut SqliteConnection,
    state: &EpochState,
    doomed: &Doomed,
    properties: &[IdProperty],
) -> Result<Deltas> {
    for batch in batches(&doomed.rowids, ROWS) {
        let mut parameters = Parameters::with_capacity(batch.len());
        for rowid in batch {
            parameters.add(*rowid)?;
        }
        let text = list_sql("DELETE FROM events WHERE rowid IN", batch.len(), "");
        sqlx::query_with(text, parameters.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    let edges = state.edges(doomed.rows.iter().map(|row| row.timestamp));
    let deltas = Deltas::of_removal(&doomed.rows, &edges, properties);
    counts::add(connection, state, &deltas).await?;
    clickmaps_make::mark(connection, state.number, &deltas.clickmap_days).await?;
    Ok(deltas)
}
