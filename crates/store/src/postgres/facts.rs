//! Identity facts: which ids the stored events of a distinct id carry, exact at any moment.

use domain::merge::FactDelta;
use domain::storage::Result;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::errors::sql;
use super::statement::query_scalar;
use super::{conflicts, fact_losses};
use crate::columns::properties_from_json;
use crate::epoch_state::EpochState;
use crate::fact_rows::{Gains, Group, Said, part};

/// Moves the stored facts by `deltas`, after the events that they are of were written.
pub(super) async fn add(
    connection: &mut PgConnection,
    state: &mut EpochState,
    deltas: &[FactDelta],
) -> Result<()> {
    let (gains, losses) = part(deltas)?;
    put(connection, state, &gains).await?;
    fact_losses::settle(connection, state, &losses).await
}

async fn put(connection: &mut PgConnection, state: &EpochState, gains: &Gains) -> Result<()> {
    if gains.is_empty() {
        return Ok(());
    }
    let column =
        |of: fn(&(String, String, String)) -> &str| -> Vec<&str> { gains.keys().map(of).collect() };
    let number = |of: fn(&Said) -> i64| -> Vec<i64> { gains.values().map(of).collect() };
    // A row that was there before was locked, which its `xmax` says.
    let named: Vec<String> = query_scalar(
        "WITH put AS (
            INSERT INTO identity_facts AS f
                (epoch, distinct_id, property, value, events, first_seen, last_seen)
            SELECT $1, g.* FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[],
                $6::bigint[], $7::bigint[]) AS g
            ON CONFLICT (epoch, distinct_id, property, value) DO UPDATE SET
                events = f.events + excluded.events,
                first_seen = least(f.first_seen, excluded.first_seen),
                last_seen = greatest(f.last_seen, excluded.last_seen)
            RETURNING distinct_id, property, xmax = 0 AS is_new)
         SELECT DISTINCT distinct_id FROM put WHERE is_new AND property = ANY($8)",
    )
    .bind(state.number)
    .bind(column(|key| &key.0))
    .bind(column(|key| &key.1))
    .bind(column(|key| &key.2))
    .bind(number(|said| said.events))
    .bind(number(|said| said.first))
    .bind(number(|said| said.last))
    .bind(&state.customers)
    .fetch_all(&mut *connection)
    .await
    .map_err(sql)?;
    conflicts::after_facts(connection, state, &named).await
}

/// Reads the columns of [`GROUPED`](crate::fact_rows::GROUPED).
pub(super) fn decode_group(row: &PgRow) -> Result<Group> {
    let text = |column| row.try_get(column).map_err(sql);
    Ok(Group {
        distinct_id: row.try_get("distinct_id").map_err(sql)?,
        id_properties: properties_from_json(row.try_get("id_properties").map_err(sql)?)?,
        asks: text("asks")?,
        other_id: text("other_id")?,
    })
}
