//! Changes of the links that events carry, for followers: looked for where events and facts
//! changed, and told as they are now.

use domain::storage::{FactChanges, Lease, Result};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::epochs::EpochState;
use super::errors::sql;
use super::links::{Owner, decode_fact};
use super::rows::WriteRows;
use super::values::{limit as rows, micros};
use super::{SqliteStore, facts, leases};
use crate::fact_changes::{ChangedEvent, Suspects};
use crate::fact_rows::{GROUPED, Key};

/// Rows forgotten in one transaction: others wait that long for the file.
const BATCH: i64 = 20_000;
/// Rows written with one statement.
const ROWS: usize = 256;

/// Changes after `seq`, in a transaction whose reads all see the same state.
pub(super) async fn after(
    connection: &mut SqliteConnection,
    owner: &Owner,
    seq: i64,
    limit: usize,
) -> Result<FactChanges> {
    let events = changed_events(connection, owner.epoch, seq, limit).await?;
    let unsaid = unsaid(connection, owner.epoch, seq, limit).await?;
    let suspects = Suspects::of(
        events,
        unsaid,
        owner.change_seq,
        owner.facts_known_from,
        limit,
    )?;
    let mut found = Vec::new();
    for (distinct_id, property, value) in suspects.keys() {
        let mut query = owner.facts();
        query.push(" AND f.distinct_id = ").push_bind(distinct_id);
        query.push(" AND f.property = ").push_bind(property);
        query.push(" AND f.value = ").push_bind(value);
        let there = query.build().fetch_all(&mut *connection).await;
        for row in &there.map_err(sql)? {
            found.push(decode_fact(row)?);
        }
    }
    Ok(suspects.tell(found, &owner.kinds))
}

async fn changed_events(
    connection: &mut SqliteConnection,
    epoch: i64,
    seq: i64,
    limit: usize,
) -> Result<Vec<ChangedEvent>> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT e.change_seq, {GROUPED} FROM events AS e
         WHERE e.epoch = ? AND e.change_seq > ? ORDER BY e.change_seq LIMIT ?",
    )))
    .bind(epoch)
    .bind(seq)
    .bind(rows(limit))
    .fetch_all(connection)
    .await
    .map_err(sql)?
    .iter()
    .map(|row| {
        Ok(ChangedEvent {
            seq: row.try_get("change_seq").map_err(sql)?,
            carries: facts::decode_group(row)?,
        })
    })
    .collect()
}

async fn unsaid(
    connection: &mut SqliteConnection,
    epoch: i64,
    seq: i64,
    limit: usize,
) -> Result<Vec<(i64, Key)>> {
    sqlx::query(
        "SELECT change_seq, distinct_id, property, value FROM identity_fact_changes
         WHERE epoch = ? AND change_seq > ? ORDER BY change_seq LIMIT ?",
    )
    .bind(epoch)
    .bind(seq)
    .bind(rows(limit))
    .fetch_all(connection)
    .await
    .map_err(sql)?
    .iter()
    .map(|row| {
        let text = |column: usize| row.try_get(column).map_err(sql);
        let key = (text(1)?, text(2)?, text(3)?);
        Ok((row.try_get(0).map_err(sql)?, key))
    })
    .collect()
}

/// Notes facts that an event says no more, or not at its time.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    facts: &[Key],
) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let now = micros(Timestamp::now());
    let write = WriteRows {
        before: "INSERT OR REPLACE INTO identity_fact_changes
                (epoch, distinct_id, property, value, change_seq, changed_at) VALUES",
        columns: 6,
        after: "",
        most: ROWS,
    };
    write
        .run(connection, facts, |to, (distinct_id, property, value)| {
            to.add(state.number)?;
            to.add(distinct_id.as_str())?;
            to.add(property.as_str())?;
            to.add(value.as_str())?;
            to.add(state.next_change())?;
            to.add(now)
        })
        .await?;
    state.save_change_seq(connection).await
}

impl SqliteStore {
    /// Forgets what was noted before `before`; followers that have not heard of it begin anew.
    pub(super) async fn forget_fact_changes(&self, lease: &Lease, before: Timestamp) -> Result<()> {
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let last: Option<i64> = sqlx::query_scalar(
                "SELECT max(change_seq) FROM (
                    SELECT change_seq, changed_at FROM identity_fact_changes
                    WHERE epoch = ? ORDER BY change_seq LIMIT ?)
                 WHERE changed_at < ?",
            )
            .bind(epoch)
            .bind(BATCH)
            .bind(micros(before))
            .fetch_one(&mut *tx)
            .await
            .map_err(sql)?;
            let Some(last) = last else {
                return tx.commit().await.map_err(sql);
            };
            for forget in [
                "DELETE FROM identity_fact_changes WHERE epoch = ?1 AND change_seq <= ?2",
                "UPDATE epochs SET facts_known_from = max(facts_known_from, ?2) WHERE number = ?1",
            ] {
                sqlx::query(forget)
                    .bind(epoch)
                    .bind(last)
                    .execute(&mut *tx)
                    .await
                    .map_err(sql)?;
            }
            tx.commit().await.map_err(sql)?;
        }
    }
}
