//! Identity facts: which ids the stored events of a distinct id carry, exact at any moment.

use std::collections::BTreeSet;

use domain::merge::FactDelta;
use domain::storage::Result;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::epochs::EpochState;
use super::errors::sql;
use super::rows::{Parameters, WriteRows, batches, list_sql};
use super::{conflicts, fact_changes};
use crate::columns::properties_from_json;
use crate::fact_rows::{GROUPED, Gains, Group, Key, Said, changed, part};

const ROWS: usize = 256;

/// Moves the stored facts by `deltas`. Where an event no longer says something, its distinct id's
/// facts are read anew from the events that remain.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    deltas: &[FactDelta],
) -> Result<()> {
    let (gains, unsure) = part(deltas)?;
    put(connection, state, &gains).await?;
    recompute(connection, state, &unsure).await
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

/// Writes the facts of these distinct ids anew, from their stored events.
async fn recompute(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    distinct_ids: &[&str],
) -> Result<()> {
    let epoch = state.number;
    for batch in batches(distinct_ids, ROWS) {
        let list = |before: &str, after: &str| -> Result<_> {
            let mut parameters = Parameters::with_capacity(1 + batch.len());
            parameters.add(epoch)?;
            for distinct_id in batch {
                parameters.add(*distinct_id)?;
            }
            Ok(sqlx::query_with(
                list_sql(before, batch.len(), after),
                parameters.into_arguments(),
            ))
        };
        let before = list(
            "DELETE FROM identity_facts WHERE epoch = ? AND distinct_id IN",
            "RETURNING distinct_id, property, value, first_seen, last_seen",
        )?
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?
        .iter()
        .map(|row| {
            let text = |column| row.try_get(column).map_err(sql);
            let at = |column| row.try_get(column).map_err(sql);
            let key = (text("distinct_id")?, text("property")?, text("value")?);
            Ok((key, at("first_seen")?, at("last_seen")?))
        })
        .collect::<Result<Vec<(Key, i64, i64)>>>()?;
        // Events of one distinct id mostly carry the same ids, so few groups come back.
        let groups = list(
            &format!(
                "SELECT {GROUPED}, count(*) AS events, min(e.timestamp) AS first_said,
                    max(e.timestamp) AS last_said
                 FROM events AS e WHERE e.epoch = ? AND e.distinct_id IN"
            ),
            "GROUP BY 1, 2, 3, 4",
        )?
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
        let mut gains = Gains::new();
        for row in &groups {
            let said = Said {
                events: row.try_get("events").map_err(sql)?,
                first: row.try_get("first_said").map_err(sql)?,
                last: row.try_get("last_said").map_err(sql)?,
            };
            decode_group(row)?.add_to(&mut gains, said)?;
        }
        put(connection, state, &gains).await?;
        fact_changes::note(connection, state, &changed(&before, &gains)).await?;
    }
    Ok(())
}

/// Reads the columns of [`GROUPED`].
pub(super) fn decode_group(row: &SqliteRow) -> Result<Group> {
    let text = |column| row.try_get(column).map_err(sql);
    Ok(Group {
        distinct_id: row.try_get("distinct_id").map_err(sql)?,
        id_properties: properties_from_json(row.try_get("id_properties").map_err(sql)?)?,
        asks: text("asks")?,
        other_id: text("other_id")?,
    })
}
