//! How far a read of all person mappings has come.

use domain::ConnectionId;
use domain::storage::{PersonsReading, Result};
use sqlx::{FromRow, PgConnection};

use super::PostgresStore;
use super::errors::sql;
use super::statement::query;
use super::values::micros;
use crate::persons_reading::{ReadingRow, told_by_links};

/// Keeps it.
pub(super) async fn keep(
    connection: &mut PgConnection,
    epoch: i64,
    reading: &PersonsReading,
) -> Result<()> {
    query(
        "UPDATE epochs SET persons_began_at = $2, persons_paused_until = $3, persons_reached = (
            SELECT link FROM person_links
            WHERE epoch = $1 AND left(distinct_id, 500) <= left($4, 500) AND distinct_id <= $4
            ORDER BY left(distinct_id, 500) DESC, distinct_id DESC LIMIT 1)
         WHERE number = $1",
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
pub(super) async fn end(connection: &mut PgConnection, epoch: i64) -> Result<()> {
    query(
        "UPDATE epochs SET persons_began_at = NULL, persons_paused_until = NULL,
            persons_reached = NULL
         WHERE number = $1 AND persons_began_at IS NOT NULL",
    )
    .bind(epoch)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

impl PostgresStore {
    /// What was kept.
    pub(super) async fn find_persons_reading(
        &self,
        connection: ConnectionId,
    ) -> Result<Option<PersonsReading>> {
        let rows = self
            .fetch(
                query(
                    "SELECT e.persons_began_at, e.persons_paused_until, p.distinct_id
                     FROM epochs AS e LEFT JOIN person_links AS p
                        ON p.link = e.persons_reached AND p.epoch = e.number
                     WHERE e.id = $1",
                )
                .bind(connection.0),
            )
            .await?;
        match rows.first() {
            Some(row) => ReadingRow::from_row(row).map_err(sql)?.reading(),
            None => Ok(None),
        }
    }
}
