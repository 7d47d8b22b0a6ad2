//! Identity facts: which ids the stored events of a distinct id carry, exact at any moment.

use domain::merge::FactDelta;
use domain::storage::Result;
use sqlx::{Row, SqliteConnection};

use super::errors::sql;
use super::rows::{Parameters, batches, list_sql, values_sql};
use crate::columns::properties_from_json;
use crate::fact_rows::{Gains, Key, Said, add_group, part};

const ROWS: usize = 256;

/// Moves the stored facts by `deltas`. Where an event no longer says something, its distinct id's
/// facts are read anew from the events that remain.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    epoch: i64,
    deltas: &[FactDelta],
) -> Result<()> {
    let (gains, unsure) = part(deltas)?;
    put(connection, epoch, gains).await?;
    recompute(connection, epoch, &unsure).await
}

async fn put(connection: &mut SqliteConnection, epoch: i64, gains: Gains) -> Result<()> {
    let rows: Vec<(Key, Said)> = gains.into_iter().collect();
    for batch in batches(&rows, ROWS) {
        let mut parameters = Parameters::with_capacity(7 * batch.len());
        for ((distinct_id, property, value), said) in batch {
            parameters.add(epoch)?;
            parameters.add(distinct_id.as_str())?;
            parameters.add(property.as_str())?;
            parameters.add(value.as_str())?;
            parameters.add(said.events)?;
            parameters.add(said.first)?;
            parameters.add(said.last)?;
        }
        let text = values_sql(
            "INSERT INTO identity_facts
                (epoch, distinct_id, property, value, events, first_seen, last_seen) VALUES",
            7,
            batch.len(),
            "ON CONFLICT (epoch, distinct_id, property, value) DO UPDATE SET
                events = events + excluded.events,
                first_seen = min(first_seen, excluded.first_seen),
                last_seen = max(last_seen, excluded.last_seen)",
        );
        sqlx::query_with(text, parameters.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}

/// Writes the facts of these distinct ids anew, from their stored events.
async fn recompute(
    connection: &mut SqliteConnection,
    epoch: i64,
    distinct_ids: &[&str],
) -> Result<()> {
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
        list(
            "DELETE FROM identity_facts WHERE epoch = ? AND distinct_id IN",
            "",
        )?
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
        // Events of one distinct id mostly carry the same ids, so few groups come back.
        let groups = list(
            "SELECT distinct_id, id_properties, count(*), min(timestamp), max(timestamp)
             FROM events WHERE epoch = ? AND distinct_id IN",
            "GROUP BY distinct_id, id_properties",
        )?
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
        let mut gains = Gains::new();
        for row in &groups {
            let carried = properties_from_json(row.try_get(1).map_err(sql)?)?;
            let group = Said {
                events: row.try_get(2).map_err(sql)?,
                first: row.try_get(3).map_err(sql)?,
                last: row.try_get(4).map_err(sql)?,
            };
            add_group(&mut gains, row.try_get(0).map_err(sql)?, &carried, group)?;
        }
        put(connection, epoch, gains).await?;
    }
    Ok(())
}
