//! What stored events say for suggestions.

use domain::ConnectionId;
use domain::mapping::{
    Candidate, NEIGHBOURS, NEWEST_LOOKED_AT, ORDER_WITHIN, OrderEvidence, SAMPLED_EVENTS, StageRule,
};
use domain::storage::Result;
use jiff::Timestamp;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::statement::query;
use super::values::{get, limit, micros, text, texts, unsigned};

/// Each candidate's newest events, or of one that asks for a page the chosen ones, each of them with its
/// neighbours on either side.
const EVIDENCE: &str = "
    WITH owner AS MATERIALIZED (SELECT number FROM epochs WHERE id = $1)
    SELECT count(*) FILTER (WHERE n.judged) AS judged,
        count(*) FILTER (WHERE n.in_order) AS in_order
    FROM unnest($2::text[], $3::smallint[], $8::boolean[])
        WITH ORDINALITY AS c (name, stage, is_chosen, place)
    LEFT JOIN LATERAL (
        (SELECT distinct_id, timestamp FROM events
         WHERE NOT c.is_chosen AND epoch = (SELECT number FROM owner)
            AND left(event, 500) = left(c.name, 500) AND event = c.name AND timestamp >= $4
         ORDER BY timestamp DESC, uuid DESC LIMIT $5)
        UNION ALL
        SELECT x.distinct_id, x.timestamp
        FROM unnest($9::bigint[], $10::text[], $11::bigint[]) AS x (place, distinct_id, timestamp)
        WHERE x.place = c.place
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

/// A name's newest events.
const NEWEST: &str = "
    SELECT path, distinct_id, timestamp FROM events
    WHERE epoch = (SELECT number FROM epochs WHERE id = $1)
        AND left(event, 500) = left($2, 500) AND event = $2 AND timestamp >= $3
    ORDER BY timestamp DESC, uuid DESC LIMIT $4";

/// Events that were chosen by their page, each with the place, from 1, of its candidate.
#[derive(Default)]
struct Chosen {
    places: Vec<i64>,
    distinct_ids: Vec<String>,
    timestamps: Vec<i64>,
}

impl PostgresStore {
    pub(super) async fn taken(
        &self,
        connection: ConnectionId,
        rule: &StageRule,
        since: Timestamp,
        newest: usize,
    ) -> Result<u64> {
        let mut taken = 0;
        let count = |_: &PgRow| {
            taken += 1;
            Ok(())
        };
        self.each_taken(connection, rule, since, newest, count)
            .await?;
        Ok(taken)
    }

    /// Gives `take` those of a name's newest events that the rule takes, the newest first.
    async fn each_taken(
        &self,
        connection: ConnectionId,
        rule: &StageRule,
        since: Timestamp,
        newest: usize,
        mut take: impl FnMut(&PgRow) -> Result<()>,
    ) -> Result<()> {
        let query = query(NEWEST)
            .bind(connection.0)
            .bind(text(rule.name.as_str()))
            .bind(micros(since))
            .bind(limit(newest));
        self.hand_over(query, |row| {
            if rule.takes(get(row, "path")?) {
                take(row)?;
            }
            Ok(())
        })
        .await
    }

    /// The events that are looked at for candidates that ask for a page.
    async fn chosen(
        &self,
        connection: ConnectionId,
        candidates: &[Candidate],
        since: Timestamp,
    ) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        for (place, candidate) in (1..).zip(candidates) {
            if candidate.rule.url_path.is_none() {
                continue;
            }
            let before = chosen.places.len();
            let add = |row: &PgRow| {
                if chosen.places.len() - before < SAMPLED_EVENTS {
                    chosen.places.push(place);
                    chosen.distinct_ids.push(get(row, "distinct_id")?);
                    chosen.timestamps.push(get(row, "timestamp")?);
                }
                Ok(())
            };
            self.each_taken(connection, &candidate.rule, since, NEWEST_LOOKED_AT, add)
                .await?;
        }
        Ok(chosen)
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
        let chosen = self.chosen(connection, candidates, since).await?;
        let names = candidates.iter().map(|it| it.rule.name.as_str());
        let names = texts(names);
        let is_chosen: Vec<bool> = candidates
            .iter()
            .map(|candidate| candidate.rule.url_path.is_some())
            .collect();
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
            .bind(i64::try_from(ORDER_WITHIN.as_micros()).unwrap_or(i64::MAX))
            .bind(is_chosen)
            .bind(chosen.places)
            .bind(chosen.distinct_ids)
            .bind(chosen.timestamps);
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
