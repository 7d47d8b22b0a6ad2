//! Event definitions: what PostHog lists, joined with the names that stored events have.

use domain::storage::{EventDefinition, Lease, Result};
use domain::{ConnectionId, EventName};
use sqlx::AssertSqlSafe;

use super::errors::sql;
use super::rows::WriteRows;
use super::values::{get, instant_or_none, limit as rows, micros};
use super::{SqliteStore, leases};

const ROWS: usize = 256;

impl SqliteStore {
    pub(super) async fn replace_definitions(
        &self,
        lease: &Lease,
        definitions: &[EventDefinition],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        sqlx::query("DELETE FROM event_definitions WHERE epoch = ?")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        let write = WriteRows {
            before: "INSERT OR REPLACE INTO event_definitions
                    (epoch, name, created_at, last_seen_at) VALUES",
            columns: 4,
            after: "",
            most: ROWS,
        };
        write
            .run(&mut tx, definitions, |to, definition| {
                to.add(epoch)?;
                to.add(definition.name.as_str())?;
                to.add(definition.created_at.map(micros))?;
                to.add(definition.last_seen_at.map(micros))
            })
            .await?;
        tx.commit().await.map_err(sql)
    }

    pub(super) async fn list_definitions(
        &self,
        connection: ConnectionId,
        after: Option<&EventName>,
        limit: usize,
    ) -> Result<Vec<EventDefinition>> {
        let beyond = if after.is_some() { ">" } else { ">=" };
        // The names that events have are found by jumping from one to the next in their index:
        // the cost is that of the names, not of the events.
        sqlx::query(AssertSqlSafe(format!(
            "WITH RECURSIVE
                owner (epoch) AS (SELECT number FROM epochs WHERE id = ?1),
                seen (name) AS (
                    SELECT min(event) FROM events
                    WHERE epoch = (SELECT epoch FROM owner) AND event {beyond} ?2
                    UNION ALL
                    SELECT (SELECT min(event) FROM events
                            WHERE epoch = (SELECT epoch FROM owner) AND event > seen.name)
                    FROM seen WHERE seen.name IS NOT NULL LIMIT ?3
                ),
                names (name) AS (
                    SELECT name FROM seen WHERE name IS NOT NULL
                    UNION
                    SELECT name FROM event_definitions
                    WHERE epoch = (SELECT epoch FROM owner) AND name {beyond} ?2
                )
             SELECT n.name, d.created_at, d.last_seen_at
             FROM names AS n LEFT JOIN event_definitions AS d
                ON d.epoch = (SELECT epoch FROM owner) AND d.name = n.name
             ORDER BY n.name LIMIT ?3"
        )))
        .bind(connection.0)
        .bind(after.map_or("", EventName::as_str))
        .bind(rows(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?
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
