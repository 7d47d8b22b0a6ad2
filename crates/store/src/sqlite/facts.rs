//! Identity facts: which ids the stored events of a distinct id carry, exact at any moment.

use std::collections::BTreeSet;

use domain::merge::FactDelta;
use domain::storage::Result;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::epochs::EpochState;
use super::errors::sql;
use super::rows::WriteRows;
use super::{conflicts, fact_losses};
use crate::columns::properties_from_json;
use crate::fact_rows::{Gains, Group, Key, Said, part};

const ROWS: usize = 256;

/// Moves the stored facts by `deltas`, after the events that they are of were written.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    deltas: &[FactDelta],
) -> Result<()> {
    let (gains, losses) = part(deltas)?;
    put(connection, state, &gains).await?;
    fact_losses::settle(connection, state, &losses).await
}

async fn put(connection: &mut SqliteConnection, state: &EpochState, gains: &Gains) -> Result<()> {
    let rows: Vec<(&Key, &Said)> = gains.iter().collect();
    let write = WriteRows {
        before: "INSERT INTO identity_facts
                (epoch, distinct_id, property, value, events, first_seen, last_seen) VALUES",
        columns: 7,
        after: "ON CONFLICT (epoch, distinct_id, property, value) DO UPDATE SET
                events = events + excluded.events,
                first_seen = min(first_seen, excluded.first_seen),
                last_seen = max(last_seen, excluded.last_seen)",
        most: ROWS,
    };
    write
        .run(
            connection,
            &rows,
            |to, ((distinct_id, property, value), said)| {
                to.add(state.number)?;
                to.add(distinct_id.as_str())?;
                to.add(property.as_str())?;
                to.add(value.as_str())?;
                to.add(said.events)?;
                to.add(said.first)?;
                to.add(said.last)
            },
        )
        .await?;
    let named = gains
        .keys()
        .filter(|(_, property, _)| state.customers.contains(property));
    let named: BTreeSet<&String> = named.map(|(distinct_id, ..)| distinct_id).collect();
    let named: Vec<String> = named.into_iter().cloned().collect();
    conflicts::after_facts(connection, state, &named).await
}

/// Reads the columns of [`GROUPED`](crate::fact_rows::GROUPED).
pub(super) fn decode_group(row: &SqliteRow) -> Result<Group> {
    let text = |column| row.try_get(column).map_err(sql);
    Ok(Group {
        distinct_id: row.try_get("distinct_id").map_err(sql)?,
        id_properties: properties_from_json(row.try_get("id_properties").map_err(sql)?)?,
        asks: text("asks")?,
        other_id: text("other_id")?,
    })
}
