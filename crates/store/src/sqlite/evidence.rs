//! What stored events say for suggestions.

use domain::ConnectionId;
use domain::mapping::{
    Candidate, NEIGHBOURS, ORDER_WITHIN, OrderEvidence, SAMPLED_EVENTS, StageRule,
};
use domain::storage::Result;
use futures_util::TryStreamExt;
use jiff::Timestamp;

use super::SqliteStore;
use super::errors::sql;
use super::values::{get, limit, micros, unsigned};

/// The candidate's newest events, each with its neighbours on either side: 1 is an event of an
/// earlier stage among them, 2 one of a later stage.
const EVIDENCE: &str = "
    WITH owner AS MATERIALIZED (SELECT number FROM epochs WHERE id = ?1),
    sample AS MATERIALIZED (
        SELECT distinct_id, timestamp FROM events INDEXED BY events_by_name
        WHERE epoch = (SELECT number FROM owner) AND event = ?2 AND timestamp >= ?4
        ORDER BY timestamp DESC, uuid DESC LIMIT ?5
    )
    SELECT coalesce(sum(before <> 0 OR after <> 0), 0) AS judged,
        coalesce(sum(before & 1 OR after & 2), 0) AS in_order
    FROM (
        SELECT (
            SELECT coalesce(max(stage < ?3), 0) + 2 * coalesce(max(stage > ?3), 0) FROM (
                SELECT stage FROM events INDEXED BY events_by_distinct_id
                WHERE epoch = (SELECT number FROM owner) AND distinct_id = s.distinct_id
                    AND timestamp < s.timestamp AND timestamp >= s.timestamp - ?7
                ORDER BY timestamp DESC, created_at DESC, uuid DESC LIMIT ?6)
        ) AS before, (
            SELECT coalesce(max(stage < ?3), 0) + 2 * coalesce(max(stage > ?3), 0) FROM (
                SELECT stage FROM events INDEXED BY events_by_distinct_id
                WHERE epoch = (SELECT number FROM owner) AND distinct_id = s.distinct_id
                    AND timestamp > s.timestamp AND timestamp <= s.timestamp + ?7
                ORDER BY timestamp, created_at, uuid LIMIT ?6)
        ) AS after
        FROM sample AS s
    )";

/// The pages of a name's newest events.
const PAGES: &str = "
    SELECT path FROM events INDEXED BY events_by_name
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
        let mut rows = sqlx::query(PAGES)
            .bind(connection.0)
            .bind(rule.name.as_str())
            .bind(micros(since))
            .bind(limit(newest))
            .fetch(&self.readers);
        let mut taken = 0;
        while let Some(row) = rows.try_next().await.map_err(sql)? {
            taken += u64::from(rule.takes(get(&row, "path")?));
        }
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
            let row = sqlx::query(EVIDENCE)
                .bind(connection.0)
                .bind(candidate.name.as_str())
                .bind(candidate.stage.number())
                .bind(micros(since))
                .bind(limit(SAMPLED_EVENTS))
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
