//! Epochs, the owners of rows: finding them by id and what a write needs to know of them.

use domain::ConnectionId;
use domain::storage::{EpochRecord, Result};
use sqlx::FromRow;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::errors::{not_found, sql};
use super::values::get;
use crate::connection_rows::EpochRow;
pub(super) use crate::epoch_state::EpochState;

/// The epoch of that id, if there is one.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: ConnectionId,
) -> Result<Option<EpochRecord>> {
    sqlx::query("SELECT * FROM epochs WHERE id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .map(|row| decode(&row))
        .transpose()
}

/// Reads the row of an epoch.
fn decode(row: &SqliteRow) -> Result<EpochRecord> {
    EpochRow::from_row(row).map_err(sql)?.record()
}

/// The local number of that id.
pub(super) async fn number(connection: &mut SqliteConnection, id: ConnectionId) -> Result<i64> {
    sqlx::query_scalar("SELECT number FROM epochs WHERE id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .ok_or_else(|| not_found(format!("connection {id}")))
}

impl EpochState {
    /// The epoch's state within a transaction that writes.
    pub(super) async fn load(connection: &mut SqliteConnection, number: i64) -> Result<Self> {
        // A mapping on its way already decides: rows that the re-map has passed must not be
        // assigned by the earlier one.
        let row = sqlx::query(
            "SELECT time_zone, rollup, coalesce(pending_mapping, mapping) AS mapping, change_seq,
                erasures, CASE WHEN conflicts_known THEN id_properties END AS id_properties
             FROM epochs WHERE number = ?",
        )
        .bind(number)
        .fetch_one(connection)
        .await
        .map_err(sql)?;
        let zone: Option<&str> = get(&row, "time_zone")?;
        let mapping: Option<&str> = get(&row, "mapping")?;
        let rollup = get(&row, "rollup")?;
        let (change_seq, erasures) = (get(&row, "change_seq")?, get(&row, "erasures")?);
        let properties: Option<&str> = get(&row, "id_properties")?;
        Self::of_columns(
            number, rollup, zone, mapping, change_seq, erasures, properties,
        )
    }

    /// Writes back the last change sequence number given.
    pub(super) async fn save_change_seq(&self, connection: &mut SqliteConnection) -> Result<()> {
        sqlx::query("UPDATE epochs SET change_seq = ? WHERE number = ?")
            .bind(self.change_seq)
            .bind(self.number)
            .execute(connection)
            .await
            .map_err(sql)?;
        Ok(())
    }
}
