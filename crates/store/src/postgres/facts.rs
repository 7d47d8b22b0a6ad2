//! Identity facts: which ids the stored events of a distinct id carry, exact at any moment.

use domain::merge::FactDelta;
use domain::storage::Result;
use sqlx::{PgConnection, Row};

use super::errors::sql;
use super::statement::query;
use crate::columns::properties_from_json;
use crate::fact_rows::{Gains, Said, add_group, part};

/// Moves the stored facts by `deltas`. Where an event no longer says something, its distinct id's
/// facts are read anew from the events that remain.
pub(super) async fn add(
    connection: &mut PgConnection,
    epoch: i64,
    deltas: &[FactDelta],
) -> Result<()> {
    let (gains, unsure) = part(deltas)?;
    put(connection, epoch, &gains).await?;
    if unsure.is_empty() {
        return Ok(());
    }
    recompute(connection, epoch, &unsure).await
}

async fn put(connection: &mut PgConnection, epoch: i64, gains: &Gains) -> Result<()> {
    if gains.is_empty() {
        return Ok(());
    }
    let column =
        |of: fn(&(String, String, String)) -> &str| -> Vec<&str> { gains.keys().map(of).collect() };
    let number = |of: fn(&Said) -> i64| -> Vec<i64> { gains.values().map(of).collect() };
    query(
        "INSERT INTO identity_facts AS f
            (epoch, distinct_id, property, value, events, first_seen, last_seen)
         SELECT $1, g.* FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[],
            $6::bigint[], $7::bigint[]) AS g
         ON CONFLICT (epoch, distinct_id, property, value) DO UPDATE SET
            events = f.events + excluded.events,
            first_seen = least(f.first_seen, excluded.first_seen),
            last_seen = greatest(f.last_seen, excluded.last_seen)",
    )
    .bind(epoch)
    .bind(column(|key| &key.0))
    .bind(column(|key| &key.1))
    .bind(column(|key| &key.2))
    .bind(number(|said| said.events))
    .bind(number(|said| said.first))
    .bind(number(|said| said.last))
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Writes the facts of these distinct ids anew, from their stored events.
async fn recompute(connection: &mut PgConnection, epoch: i64, distinct_ids: &[&str]) -> Result<()> {
    query("DELETE FROM identity_facts WHERE epoch = $1 AND distinct_id = ANY($2)")
        .bind(epoch)
        .bind(distinct_ids)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    // Events of one distinct id mostly carry the same ids, so few groups come back.
    let groups = query(
        "SELECT e.distinct_id, e.id_properties, count(*), min(e.timestamp), max(e.timestamp)
         FROM unnest($2::text[]) AS u (distinct_id) JOIN events AS e
            ON e.epoch = $1 AND left(e.distinct_id, 500) = left(u.distinct_id, 500)
            AND e.distinct_id = u.distinct_id
         GROUP BY e.distinct_id, e.id_properties",
    )
    .bind(epoch)
    .bind(distinct_ids)
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
    put(connection, epoch, &gains).await
}
