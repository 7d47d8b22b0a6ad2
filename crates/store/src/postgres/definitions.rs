//! Event definitions: what PostHog lists, joined with the names that stored events have.

use domain::storage::{EventDefinition, Lease, Result};
use domain::{ConnectionId, EventName};
use sqlx::AssertSqlSafe;

use super::errors::sql;
use super::statement::query;
use super::values::{get, instant_or_none, limit as rows, micros, text, texts};
use super::{PostgresStore, leases};

impl PostgresStore {
    pub(super) async fn replace_definitions(
        &self,
        lease: &Lease,
        definitions: &[EventDefinition],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        query("DELETE FROM event_definitions WHERE epoch = $1")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        let names = texts(
            definitions
                .iter()
                .map(|definition| definition.name.as_str()),
        );
        let created: Vec<Option<i64>> = definitions
            .iter()
            .map(|definition| definition.created_at.map(micros))
            .collect();
        let seen: Vec<Option<i64>> = definitions
            .iter()
            .map(|definition| definition.last_seen_at.map(micros))
            .collect();
        // Of several of one name the last counts.
        query(
            "INSERT INTO event_definitions (epoch, name, created_at, last_seen_at)
             SELECT DISTINCT ON (d.name) $1, d.name, d.created_at, d.last_seen_at
             FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
                AS d (name, created_at, last_seen_at, place)
             ORDER BY d.name, d.place DESC",
        )
        .bind(epoch)
        .bind(names)
        .bind(created)
        .bind(seen)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await
    }

    pub(super) async fn list_definitions(
        &self,
        connection: ConnectionId,
        after: Option<&EventName>,
        limit: usize,
    ) -> Result<Vec<EventDefinition>> {
        let beyond = if after.is_some() { ">" } else { ">=" };
        // The names that events have are those that are counted: far fewer rows than events.
        self.fetch(
            query(AssertSqlSafe(format!(
                "WITH owner AS MATERIALIZED (SELECT number, rollup FROM epochs WHERE id = $1),
                names AS (
                    SELECT c.event AS name FROM owner AS o JOIN daily_event_counts AS c
                        ON c.epoch = o.number AND c.rollup = o.rollup
                    WHERE c.event {beyond} $2
                    UNION
                    SELECT d.name FROM owner AS o JOIN event_definitions AS d
                        ON d.epoch = o.number
                    WHERE d.name {beyond} $2
                )
             SELECT n.name, d.created_at, d.last_seen_at
             FROM names AS n LEFT JOIN event_definitions AS d
                ON d.epoch = (SELECT number FROM owner)
                AND left(d.name, 500) = left(n.name, 500) AND d.name = n.name
             ORDER BY n.name LIMIT $3"
            )))
            .bind(connection.0)
            .bind(text(after.map_or("", EventName::as_str)))
            .bind(rows(limit)),
        )
        .await?
        .iter()
        .map(|row| {
            Ok(EventDefinition {
                name: EventName::new(get::<String>(row, "name")?),
                created_at: instant_or_none(get(row, "created_at")?)?,
                last_seen_at: instant_or_none(get(row, "last_seen_at")?)?,
            })
        })
        .collect()
    }
}
