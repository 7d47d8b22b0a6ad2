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
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};

use super::SqliteStore;
use super::errors::{corrupt, sql};
use super::event_columns;
use super::values::{day, day_number, get, limit as rows, micros, unsigned};

/// Reads nothing but a part of `events_by_time`.
pub(super) const COUNT: &str = "SELECT count(*) FROM events INDEXED BY events_by_time
     WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND timestamp >= ? AND timestamp < ?";

#[async_trait]
impl EventReader for SqliteStore {
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
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "SELECT c.day, c.event, c.events
             FROM epochs AS o CROSS JOIN daily_event_counts AS c
                ON c.epoch = o.number AND c.rollup = o.rollup
             WHERE o.id = ",
        );
        query.push_bind(connection.0);
        query.push(" AND c.day >= ").push_bind(day_number(from));
        query.push(" AND c.day < ").push_bind(day_number(to));
        if !names.is_empty() {
            query.push(" AND c.event IN (");
            let mut list = query.separated(", ");
            for name in names {
                list.push_bind(name.as_str());
            }
            query.push(")");
        }
        query
            .push(" ORDER BY c.day, c.event")
            .build()
            .fetch_all(&self.readers)
            .await
            .map_err(sql)?
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
        sqlx::query(
            "SELECT c.day, c.stage, c.event, c.events
             FROM epochs AS o CROSS JOIN daily_stage_counts AS c
                ON c.epoch = o.number AND c.rollup = o.rollup
             WHERE o.id = ? AND c.day >= ? AND c.day < ?
             ORDER BY c.day, c.stage, c.event",
        )
        .bind(connection.0)
        .bind(day_number(from))
        .bind(day_number(to))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?
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
        sqlx::query_scalar(COUNT)
            .bind(connection.0)
            .bind(micros(from))
            .bind(micros(to))
            .fetch_one(&self.readers)
            .await
            .map(unsigned)
            .map_err(sql)
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
        sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT DISTINCT distinct_id FROM events INDEXED BY events_by_distinct_id
             WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND distinct_id {beyond} ?
                AND created_at >= ?
             ORDER BY distinct_id LIMIT ?"
        )))
        .bind(connection.0)
        .bind(after.unwrap_or_default())
        .bind(micros(since))
        .bind(rows(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)
    }
}
