//! What stored events say for suggestions.

use domain::ConnectionId;
use domain::mapping::{
    Candidate, NEIGHBOURS, NEWEST_LOOKED_AT, ORDER_WITHIN, OrderEvidence, SAMPLED_EVENTS, StageRule,
};
use domain::storage::Result;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::SqliteStore;
use super::errors::sql;
use super::values::{get, limit, micros, to_json, unsigned};

/// The candidate's events of a list of (distinct id, timestamp), each with its neighbours on either side: 1 is an event of an
/// earlier stage among them, 2 one of a later stage.
const EVIDENCE: &str = "
    WITH owner AS MATERIALIZED (SELECT number FROM epochs WHERE id = ?1),
    sample AS MATERIALIZED (
        SELECT value ->> 0 AS distinct_id, value ->> 1 AS timestamp FROM json_each(?2)
    )
    SELECT coalesce(sum(before <> 0 OR after <> 0), 0) AS judged,
        coalesce(sum(before & 1 OR after & 2), 0) AS in_order
    FROM (
        SELECT (
            SELECT coalesce(max(stage < ?3), 0) + 2 * coalesce(max(stage > ?3), 0) FROM (
                SELECT stage FROM events INDEXED BY events_by_distinct_id
                WHERE epoch = (SELECT number FROM owner) AND distinct_id = s.distinct_id
                    AND timestamp < s.timestamp AND timestamp >= s.timestamp - ?5
                ORDER BY timestamp DESC, created_at DESC, uuid DESC LIMIT ?4)
        ) AS before, (
            SELECT coalesce(max(stage < ?3), 0) + 2 * coalesce(max(stage > ?3), 0) FROM (
                SELECT stage FROM events INDEXED BY events_by_distinct_id
                WHERE epoch = (SELECT number FROM owner) AND distinct_id = s.distinct_id
                    AND timestamp > s.timestamp AND timestamp <= s.timestamp + ?5
                ORDER BY timestamp, created_at, uuid LIMIT ?4)
        ) AS after
        FROM sample AS s
    )";

/// A name's newest events.
const NEWEST: &str = "
    SELECT path, distinct_id, timestamp FROM events INDEXED BY events_by_name
    WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND event = ? AND timestamp >= ?
    ORDER BY timestamp DESC, uuid DESC LIMIT ?";

impl SqliteStore {
    pub(super) async fn taken(
        &self,
        connection: ConnectionId,
        rule: &StageRule,
        since: Timestamp,
        newest: usize,
    ) -> Result<u64> {
        let mut taken = 0;
        let count = |_: &SqliteRow| {
            taken += 1;
            Ok(true)
        };
        each_taken(&self.readers, connection, rule, since, newest, count).await?;
        Ok(taken)
    }

    pub(super) async fn evidence(
        &self,
        connection: ConnectionId,
        candidates: &[Candidate],
        since: Timestamp,
    ) -> Result<Vec<OrderEvidence>> {
        let mut tx = self.read().await?;
        let mut found = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let sample = sample(&mut tx, connection, &candidate.rule, since).await?;
            let row = sqlx::query(EVIDENCE)
                .bind(connection.0)
                .bind(to_json(&sample)?)
                .bind(candidate.stage.number())
                .bind(limit(NEIGHBOURS))
                .bind(i64::try_from(ORDER_WITHIN.as_micros()).unwrap_or(i64::MAX))
                .fetch_one(&mut *tx)
                .await
                .map_err(sql)?;
            found.push(OrderEvidence {
                judged: unsigned(get(&row, "judged")?),
                in_order: unsigned(get(&row, "in_order")?),
            });
        }
        tx.commit().await.map_err(sql)?;
        Ok(found)
    }
}

/// Distinct ids and timestamps of the events that are looked at for a rule.
async fn sample(
    tx: &mut SqliteConnection,
    connection: ConnectionId,
    rule: &StageRule,
    since: Timestamp,
) -> Result<Vec<(String, i64)>> {
    let newest = match rule.url_path {
        Some(_) => NEWEST_LOOKED_AT,
        None => SAMPLED_EVENTS,
    };
    let mut sample = Vec::new();
    let add = |row: &SqliteRow| {
        sample.push((get(row, "distinct_id")?, get(row, "timestamp")?));
        Ok(sample.len() < SAMPLED_EVENTS)
    };
    each_taken(tx, connection, rule, since, newest, add).await?;
    Ok(sample)
}

/// Gives `take` those of a name's newest events that the rule takes, the newest first, until it has
/// enough.
async fn each_taken(
    executor: impl SqliteExecutor<'_>,
    connection: ConnectionId,
    rule: &StageRule,
    since: Timestamp,
    newest: usize,
    mut take: impl FnMut(&SqliteRow) -> Result<bool>,
) -> Result<()> {
    let mut rows = sqlx::query(NEWEST)
        .bind(connection.0)
        .bind(rule.name.as_str())
        .bind(micros(since))
        .bind(limit(newest))
        .fetch(executor);
    while let Some(row) = rows.try_next().await.map_err(sql)? {
        if rule.takes(get(&row, "path")?) && !take(&row)? {
            break;
        }
    }
    Ok(())
}
