//! Changes of the links that events carry, for followers: looked for where events and facts
//! changed, and told as they are now.

use domain::storage::{FactChanges, Lease, Result};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection, QueryBuilder, Row};

use super::PostgresStore;
use super::errors::sql;
use super::links::{FACT, Owner, decode_fact};
use super::statement::{built, query};
use super::values::{limit as rows, micros};
use super::{epochs, facts, leases};
use crate::epoch_state::EpochState;
use crate::fact_changes::{ChangedEvent, Suspects};
use crate::fact_rows::{GROUPED, Key};
use crate::link_rows::Placed;

/// Rows forgotten in one transaction.
const BATCH: i64 = 20_000;

/// Changes after `seq`, in a transaction whose reads all see the same state.
pub(super) async fn after(
    connection: &mut PgConnection,
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
    let found = look_up(connection, owner, &suspects).await?;
    Ok(suspects.tell(found, &owner.kinds))
}

async fn look_up(
    connection: &mut PgConnection,
    owner: &Owner,
    suspects: &Suspects,
) -> Result<Vec<Placed>> {
    let mut query = QueryBuilder::new(FACT);
    let (mut distinct_ids, mut properties, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (distinct_id, property, value) in suspects.keys() {
        distinct_ids.push(distinct_id.as_str());
        properties.push(property.as_str());
        values.push(value.as_str());
    }
    query.push(" FROM unnest(").push_bind(distinct_ids);
    query.push("::text[], ").push_bind(properties);
    query.push("::text[], ").push_bind(values);
    // Looked up each by itself: a planner that may choose reads all facts of the epoch.
    query.push(
        "::text[]) AS u (distinct_id, property, value)
         CROSS JOIN LATERAL (SELECT * FROM identity_facts AS i WHERE i.epoch = ",
    );
    query.push_bind(owner.epoch);
    query.push(
        " AND i.distinct_id = u.distinct_id AND i.property = u.property AND i.value = u.value
          LIMIT 1) AS f",
    );
    owner.join_kinds(&mut query);
    built(&mut query)
        .fetch_all(connection)
        .await
        .map_err(sql)?
        .iter()
        .map(decode_fact)
        .collect()
}

async fn changed_events(
    connection: &mut PgConnection,
    epoch: i64,
    seq: i64,
    limit: usize,
) -> Result<Vec<ChangedEvent>> {
    query(AssertSqlSafe(format!(
        "SELECT e.change_seq, {GROUPED} FROM events AS e
         WHERE e.epoch = $1 AND e.change_seq > $2 ORDER BY e.change_seq LIMIT $3",
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
    connection: &mut PgConnection,
    epoch: i64,
    seq: i64,
    limit: usize,
) -> Result<Vec<(i64, Key)>> {
    query(
        "SELECT change_seq, distinct_id, property, value FROM identity_fact_changes
         WHERE epoch = $1 AND change_seq > $2 ORDER BY change_seq LIMIT $3",
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
    connection: &mut PgConnection,
    state: &mut EpochState,
    facts: &[Key],
) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Key) -> &str| -> Vec<&str> { facts.iter().map(of).collect() };
    let changes: Vec<i64> = facts.iter().map(|_| state.next_change()).collect();
    query(
        "INSERT INTO identity_fact_changes
            (epoch, distinct_id, property, value, change_seq, changed_at)
         SELECT $1, u.*, $6 FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS u
         ON CONFLICT (epoch, distinct_id, property, value) DO UPDATE SET
            change_seq = excluded.change_seq, changed_at = excluded.changed_at",
    )
    .bind(state.number)
    .bind(column(|key| &key.0))
    .bind(column(|key| &key.1))
    .bind(column(|key| &key.2))
    .bind(changes)
    .bind(micros(Timestamp::now()))
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    epochs::save_change_seq(connection, state).await
}

impl PostgresStore {
    /// Forgets what was noted before `before`; followers that have not heard of it begin anew.
    pub(super) async fn forget_fact_changes(&self, lease: &Lease, before: Timestamp) -> Result<()> {
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let forgotten = query(
                "WITH oldest AS (
                    SELECT change_seq, changed_at FROM identity_fact_changes
                    WHERE epoch = $1 ORDER BY change_seq LIMIT $3
                 ), forgotten AS (
                    DELETE FROM identity_fact_changes WHERE epoch = $1 AND change_seq <=
                        (SELECT max(change_seq) FROM oldest WHERE changed_at < $2)
                    RETURNING change_seq
                 )
                 UPDATE epochs SET facts_known_from = greatest(facts_known_from,
                    (SELECT max(change_seq) FROM forgotten))
                 WHERE number = $1 AND EXISTS (SELECT 1 FROM forgotten)",
            )
            .bind(epoch)
            .bind(micros(before))
            .bind(BATCH)
            .execute(&mut *tx)
            .await
            .map_err(sql)?
            .rows_affected();
            tx.commit().await?;
            if forgotten == 0 {
                return Ok(());
            }
        }
    }
}
