//! Epochs, the owners of rows: finding them by id and what a write needs to know of them.

use domain::ConnectionId;
use domain::storage::{EpochRecord, Result};
use sqlx::FromRow;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::errors::sql;
use super::statement::{query, query_scalar};
use super::values::get;
use crate::connection_rows::EpochRow;
use crate::epoch_state::EpochState;
use crate::failures::not_found;

/// The epoch of that id, if there is one.
pub(super) async fn find(
    connection: &mut PgConnection,
    id: ConnectionId,
) -> Result<Option<EpochRecord>> {
    query("SELECT * FROM epochs WHERE id = $1")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .map(|row| decode(&row))
        .transpose()
}

/// Reads the row of an epoch.
fn decode(row: &PgRow) -> Result<EpochRecord> {
    EpochRow::from_row(row).map_err(sql)?.record()
}

/// The local number of that id, which cannot be removed before the transaction ends.
pub(super) async fn number(connection: &mut PgConnection, id: ConnectionId) -> Result<i64> {
    query_scalar("SELECT number FROM epochs WHERE id = $1 FOR KEY SHARE")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .ok_or_else(|| not_found(format!("connection {id}")))
}

/// The state of an epoch within a transaction that holds its lease, and with it its row.
pub(super) async fn load(connection: &mut PgConnection, number: i64) -> Result<EpochState> {
    // A mapping on its way already decides: rows that the re-map has passed must not be assigned
    // by the earlier one.
    let row = query(
        "SELECT time_zone, rollup, coalesce(pending_mapping, mapping) AS mapping, change_seq,
            erasures, CASE WHEN conflicts_known THEN id_properties END AS id_properties
         FROM epochs WHERE number = $1",
    )
    .bind(number)
    .fetch_one(connection)
    .await
    .map_err(sql)?;
    EpochState::of_columns(
        number,
        get(&row, "rollup")?,
        get(&row, "time_zone")?,
        get(&row, "mapping")?,
        get(&row, "change_seq")?,
        get(&row, "erasures")?,
        get(&row, "id_properties")?,
    )
}

/// Writes back the last change sequence number given.
pub(super) async fn save_change_seq(
    connection: &mut PgConnection,
    state: &EpochState,
) -> Result<()> {
    query("UPDATE epochs SET change_seq = $2 WHERE number = $1")
        .bind(state.number)
        .bind(state.change_seq)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}
