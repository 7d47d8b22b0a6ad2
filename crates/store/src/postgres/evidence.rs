//! What stored events say for suggestions.

use domain::ConnectionId;
use domain::mapping::{
    Candidate, NEIGHBOURS, ORDER_WITHIN, OrderEvidence, SAMPLED_EVENTS, StageRule,
};
use domain::storage::Result;
use jiff::Timestamp;

use super::PostgresStore;
use super::statement::query;
use super::values::{get, limit, micros, text, texts, unsigned};

/// Each candidate's newest events, each of them with its neighbours on either side.
const EVIDENCE: &str = "
    WITH owner AS MATERIALIZED (SELECT number FROM epochs WHERE id = $1)
    SELECT count(*) FILTER (WHERE n.judged) AS judged,
        count(*) FILTER (WHERE n.in_order) AS in_order
    FROM unnest($2::text[], $3::smallint[]) WITH ORDINALITY AS c (name, stage, place)
    LEFT JOIN LATERAL (
        SELECT distinct_id, timestamp FROM events
        WHERE epoch = (SELECT number FROM owner) AND left(event, 500) = left(c.name, 500)
            AND event = c.name AND timestamp >= $4
        ORDER BY timestamp DESC, uuid DESC LIMIT $5
    ) AS s ON true
    LEFT JOIN LATERAL (
        SELECT bool_or(x.stage <> c.stage) AS judged,
            bool_or(CASE WHEN x.is_before THEN x.stage < c.stage ELSE x.stage > c.stage END)
                AS in_order
        FROM (
            (SELECT stage, true AS is_before FROM events
             WHERE epoch = (SELECT number FROM owner)
                AND left(distinct_id, 500) = left(s.distinct_id, 500)
                AND distinct_id = s.distinct_id
                AND timestamp < s.timestamp AND timestamp >= s.timestamp - $7
             ORDER BY timestamp DESC, created_at DESC, uuid DESC LIMIT $6)
            UNION ALL
            (SELECT stage, false FROM events
             WHERE epoch = (SELECT number FROM owner)
                AND left(distinct_id, 500) = left(s.distinct_id, 500)
                AND distinct_id = s.distinct_id
                AND timestamp > s.timestamp AND timestamp <= s.timestamp + $7
             ORDER BY timestamp, created_at, uuid LIMIT $6)
        ) AS x
    ) AS n ON true
    GROUP BY c.place ORDER BY c.place";

/// The pages of a name's newest events.
const PAGES: &str = "
    SELECT path FROM events
    WHERE epoch = (SELECT number FROM epochs WHERE id = $1)
        AND left(event, 500) = left($2, 500) AND event = $2 AND timestamp >= $3
    ORDER BY timestamp DESC, uuid DESC LIMIT $4";

impl PostgresStore {
    pub(super) async fn taken(
        &self,
        connection: ConnectionId,
        rule: &StageRule,
        since: Timestamp,
        newest: usize,
    ) -> Result<u64> {
        let query = query(PAGES)
            .bind(connection.0)
            .bind(text(rule.name.as_str()))
            .bind(micros(since))
            .bind(limit(newest));
        let mut taken = 0;
        self.hand_over(query, |row| {
            taken += u64::from(rule.takes(get(row, "path")?));
            Ok(())
        })
        .await?;
        Ok(taken)
    }

    pub(super) async fn evidence(
        &self,
        connection: ConnectionId,
        candidates: &[Candidate],
        since: Timestamp,
    ) -> Result<Vec<OrderEvidence>> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let names = texts(candidates.iter().map(|candidate| candidate.name.as_str()));
        let stages: Vec<i16> = candidates
            .iter()
            .map(|candidate| candidate.stage.number())
            .collect();
        let query = query(EVIDENCE)
            .bind(connection.0)
            .bind(names)
            .bind(stages)
            .bind(micros(since))
            .bind(limit(SAMPLED_EVENTS))
            .bind(limit(NEIGHBOURS))
            .bind(i64::try_from(ORDER_WITHIN.as_micros()).unwrap_or(i64::MAX));
        self.fetch(query)
            .await?
            .iter()
            .map(|row| {
                Ok(OrderEvidence {
                    judged: unsigned(get(row, "judged")?),
                    in_order: unsigned(get(row, "in_order")?),
                })
            })
            .collect()
    }
}
