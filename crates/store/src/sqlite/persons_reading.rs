//! How far a read of all person mappings has come.

use domain::ConnectionId;
use domain::storage::{PersonsReading, Result};
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::errors::sql;
use super::values::micros;
use crate::persons_reading::{ReadingRow, told_by_links};

/// Keeps it.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    epoch: i64,
    reading: &PersonsReading,
) -> Result<()> {
    sqlx::query(
        "UPDATE epochs SET persons_began_at = ?2, persons_paused_until = ?3, persons_reached = (
            SELECT link FROM person_links WHERE epoch = ?1 AND distinct_id <= ?4
            ORDER BY distinct_id DESC LIMIT 1)
         WHERE number = ?1",
    )
    .bind(epoch)
    .bind(micros(reading.began))
    .bind(reading.paused_until.map(micros))
    .bind(reading.through.as_deref().map(told_by_links))
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Forgets it.
pub(super) async fn end(connection: &mut SqliteConnection, epoch: i64) -> Result<()> {
    sqlx::query(
        "UPDATE epochs SET persons_began_at = NULL, persons_paused_until = NULL,
            persons_reached = NULL
         WHERE number = ? AND persons_began_at IS NOT NULL",
    )
    .bind(epoch)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

impl SqliteStore {
    /// What was kept.
    pub(super) async fn find_persons_reading(
        &self,
        connection: ConnectionId,
    ) -> Result<Option<PersonsReading>> {
        let row: Option<ReadingRow> = sqlx::query_as(
            "SELECT e.persons_began_at, e.persons_paused_until, p.distinct_id
             FROM epochs AS e LEFT JOIN person_links AS p
                ON p.link = e.persons_reached AND p.epoch = e.number
             WHERE e.id = ?",
        )
        .bind(connection.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(sql)?;
        row.map_or(Ok(None), ReadingRow::reading)
    }
}
