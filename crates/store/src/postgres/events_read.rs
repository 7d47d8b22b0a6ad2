//! [`EventReader`]: lists are built in `events_list`; here are the counts and the narrow reads.

use async_trait::async_trait;
use domain::mapping::{Candidate, OrderEvidence, StageRule};
use domain::storage::{
    Change, DailyEventCount, DailyStageCount, EventDefinition, EventFilter, EventKey, EventReader,
    EventRow, Result,
};
use domain::{ConnectionId, EventName};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::AssertSqlSafe;

use super::PostgresStore;
use super::event_columns;
use super::statement::query;
use super::transaction::first_column;
use super::values::{day, day_number, get, limit as rows, micros, text, texts, unsigned};
use crate::failures::corrupt;

/// Reads nothing but a part of `events_by_time`.
pub(super) const COUNT: &str = "SELECT count(*) FROM events
     WHERE epoch = (SELECT number FROM epochs WHERE id = $1) AND timestamp >= $2 AND timestamp < $3";

#[async_trait]
impl EventReader for PostgresStore {
    async fn each_event(
        &self,
        connection: ConnectionId,
        filter: &EventFilter,
        after: Option<EventKey>,
        limit: usize,
        take: &mut (dyn for<'r> FnMut(EventRow<&'r str>) + Send),
    ) -> Result<()> {
        self.list_events(connection, filter, after, limit, take)
            .await
    }

    async fn changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Change>> {
        self.list_changes(connection, seq, limit).await
    }

    async fn daily_event_counts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
        names: &[EventName],
    ) -> Result<Vec<DailyEventCount>> {
        let all = names.is_empty();
        let names = texts(names.iter().map(EventName::as_str));
        let query = query(
            "SELECT c.day, c.event, c.events
             FROM epochs AS o JOIN daily_event_counts AS c
                ON c.epoch = o.number AND c.rollup = o.rollup
             WHERE o.id = $1 AND c.day >= $2 AND c.day < $3 AND ($4 OR c.event = ANY($5))
             ORDER BY c.day, c.event",
        )
        .bind(connection.0)
        .bind(day_number(from))
        .bind(day_number(to))
        .bind(all)
        .bind(names);
        self.fetch(query)
            .await?
            .iter()
            .map(|row| {
                Ok(DailyEventCount {
                    day: day(get(row, "day")?)?,
                    name: EventName::new(get::<String>(row, "event")?),
                    events: unsigned(get(row, "events")?),
                })
            })
            .collect()
    }

    async fn daily_stage_counts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<DailyStageCount>> {
        let query = query(
            "SELECT c.day, c.stage, c.event, c.events
             FROM epochs AS o JOIN daily_stage_counts AS c
                ON c.epoch = o.number AND c.rollup = o.rollup
             WHERE o.id = $1 AND c.day >= $2 AND c.day < $3
             ORDER BY c.day, c.stage, c.event",
        )
        .bind(connection.0)
        .bind(day_number(from))
        .bind(day_number(to));
        self.fetch(query)
            .await?
            .iter()
            .map(|row| {
                Ok(DailyStageCount {
                    day: day(get(row, "day")?)?,
                    stage: event_columns::stage(get(row, "stage")?)?
                        .ok_or_else(|| corrupt("a daily stage count has no stage"))?,
                    name: EventName::new(get::<String>(row, "event")?),
                    events: unsigned(get(row, "events")?),
                })
            })
            .collect()
    }

    async fn count_events(
        &self,
        connection: ConnectionId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64> {
        let query = query(COUNT)
            .bind(connection.0)
            .bind(micros(from))
            .bind(micros(to));
        let counted: Vec<i64> = self.fetch_column(query).await?;
        Ok(counted.into_iter().map(unsigned).sum())
    }

    async fn count_taken(
        &self,
        connection: ConnectionId,
        rule: &StageRule,
        since: Timestamp,
        newest: usize,
    ) -> Result<u64> {
        self.taken(connection, rule, since, newest).await
    }

    async fn event_definitions(
        &self,
        connection: ConnectionId,
        after: Option<&EventName>,
        limit: usize,
    ) -> Result<Vec<EventDefinition>> {
        self.list_definitions(connection, after, limit).await
    }

    async fn order_evidence(
        &self,
        connection: ConnectionId,
        candidates: &[Candidate],
        since: Timestamp,
    ) -> Result<Vec<OrderEvidence>> {
        self.evidence(connection, candidates, since).await
    }

    async fn distinct_ids_since(
        &self,
        connection: ConnectionId,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let beyond = if after.is_some() { ">" } else { ">=" };
        let query = query(AssertSqlSafe(format!(
            "SELECT distinct_id FROM (
                SELECT DISTINCT left(distinct_id, 500) AS beginning, distinct_id FROM events
                WHERE epoch = (SELECT number FROM epochs WHERE id = $1)
                    AND left(distinct_id, 500) >= left($2, 500) AND distinct_id {beyond} $2
                    AND created_at >= $3
             ) AS ids
             ORDER BY beginning, distinct_id LIMIT $4"
        )))
        .bind(connection.0)
        .bind(text(after.unwrap_or_default()))
        .bind(micros(since))
        .bind(rows(limit));
        first_column(&self.fetch_for_upkeep(query).await?)
    }
}
