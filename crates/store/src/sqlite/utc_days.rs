//! What a table of events has of days in UTC: the stored events, or those that were erased.

use domain::ConnectionId;
use domain::storage::Result;
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::SqliteStore;
use super::errors::sql;
use super::values::{DAY, day, day_number, get, micros, unsigned};

/// The stored events.
pub(super) const STORED: &str = "events INDEXED BY events_by_time";
/// What is kept of events of erased persons.
pub(super) const ERASED: &str = "erased_events";

impl SqliteStore {
    pub(super) async fn utc_day_counts(
        &self,
        table: &'static str,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<(Date, u64)>> {
        // SQLite divides towards zero; a day before 1970 must be rounded down.
        sqlx::query(AssertSqlSafe(format!(
            "SELECT (timestamp - ((timestamp % ?4) + ?4) % ?4) / ?4 AS day, count(*) AS events
             FROM {table}
             WHERE epoch = (SELECT number FROM epochs WHERE id = ?1)
                AND timestamp >= ?2 AND timestamp < ?3
             GROUP BY 1 ORDER BY 1"
        )))
        .bind(connection.0)
        .bind(day_number(from) * DAY)
        .bind(day_number(to) * DAY)
        .bind(DAY)
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?
        .iter()
        .map(|row| Ok((day(get(row, "day")?)?, unsigned(get(row, "events")?))))
        .collect()
    }

    pub(super) async fn utc_day_uuids(
        &self,
        table: &'static str,
        connection: ConnectionId,
        day: Date,
        arrived_before: Timestamp,
    ) -> Result<Vec<Uuid>> {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT uuid FROM {table}
             WHERE epoch = (SELECT number FROM epochs WHERE id = ?)
                AND timestamp >= ? AND timestamp < ? AND created_at < ?"
        )))
        .bind(connection.0)
        .bind(day_number(day) * DAY)
        .bind((day_number(day) + 1) * DAY)
        .bind(micros(arrived_before))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)
    }
}
