//! Facts that an event says no more: looked up, settled and written.

use std::collections::BTreeMap;

use domain::storage::Result;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::errors::sql;
use super::fact_changes;
use super::facts::decode_group;
use super::statement::query;
use super::values::limit;
use crate::epoch_state::EpochState;
use crate::fact_losses::{End, Losses, Place, Settling};
use crate::fact_rows::{GROUPED, Group, Key, Said};

/// Takes from the stored facts what they lose.
pub(super) async fn settle(
    connection: &mut PgConnection,
    state: &mut EpochState,
    losses: &Losses,
) -> Result<()> {
    if losses.is_empty() {
        return Ok(());
    }
    let stored = stored(connection, state.number, losses).await?;
    let mut settling = Settling::of(losses, stored);
    for search in settling.searches() {
        loop {
            let places = search.next();
            if places.is_empty() {
                break;
            }
            let mut events = events_at(connection, state.number, search.end, &places).await?;
            for place in &places {
                let own = events.remove(&place.distinct_id).unwrap_or_default();
                search.take(place, &own)?;
            }
        }
    }
    let settled = settling.settle();
    keep(connection, state.number, &settled.kept).await?;
    remove(connection, state.number, &settled.gone).await?;
    fact_changes::note(connection, state, &settled.changed).await
}

/// Parameters of a list of facts, column by column.
fn columns<'k>(keys: impl Iterator<Item = &'k Key> + Clone) -> [Vec<&'k str>; 3] {
    [
        keys.clone().map(|key| key.0.as_str()).collect(),
        keys.clone().map(|key| key.1.as_str()).collect(),
        keys.map(|key| key.2.as_str()).collect(),
    ]
}

/// The facts that lose something, as they are stored.
async fn stored(
    connection: &mut PgConnection,
    epoch: i64,
    losses: &Losses,
) -> Result<Vec<(Key, Said)>> {
    let [distinct_ids, properties, values] = columns(losses.keys());
    // Looked up each by itself: a planner that may choose reads all facts of the epoch.
    query(
        "SELECT f.* FROM unnest($2::text[], $3::text[], $4::text[])
            AS u (distinct_id, property, value)
         CROSS JOIN LATERAL (
            SELECT distinct_id, property, value, events, first_seen, last_seen
            FROM identity_facts AS i WHERE i.epoch = $1 AND i.distinct_id = u.distinct_id
                AND i.property = u.property AND i.value = u.value LIMIT 1) AS f",
    )
    .bind(epoch)
    .bind(distinct_ids)
    .bind(properties)
    .bind(values)
    .fetch_all(connection)
    .await
    .map_err(sql)?
    .iter()
    .map(|row| {
        let text = |column: usize| row.try_get(column).map_err(sql);
        let number = |column: usize| row.try_get(column).map_err(sql);
        let said = Said {
            events: number(3)?,
            first: number(4)?,
            last: number(5)?,
        };
        Ok(((text(0)?, text(1)?, text(2)?), said))
    })
    .collect()
}

/// Events of `$1` at places (distinct id `$2`, from `$3`, at most `$4`), as [`Group`]s with their times.
pub(super) fn events_sql(end: End) -> String {
    let (beyond, direction) = match end {
        End::First => (">=", "ASC"),
        End::Last => ("<=", "DESC"),
    };
    format!(
        "SELECT e.* FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS u (distinct_id, place, most)
         CROSS JOIN LATERAL (
            SELECT e.timestamp, {GROUPED} FROM events AS e
            WHERE e.epoch = $1 AND left(e.distinct_id, 500) = left(u.distinct_id, 500)
                AND e.distinct_id = u.distinct_id AND e.timestamp {beyond} u.place
            ORDER BY e.timestamp {direction} LIMIT u.most) AS e"
    )
}

/// Events at these places by distinct id, those of each in the order of the search.
async fn events_at(
    connection: &mut PgConnection,
    epoch: i64,
    end: End,
    places: &[Place],
) -> Result<BTreeMap<String, Vec<(i64, Group)>>> {
    let ids: Vec<&str> = places.iter().map(|it| it.distinct_id.as_str()).collect();
    let from: Vec<i64> = places.iter().map(|place| place.from).collect();
    let most: Vec<i64> = places.iter().map(|place| limit(place.most)).collect();
    let rows = query(AssertSqlSafe(events_sql(end)))
        .bind(epoch)
        .bind(ids)
        .bind(from)
        .bind(most)
        .fetch_all(connection)
        .await
        .map_err(sql)?;
    let mut events: BTreeMap<String, Vec<(i64, Group)>> = BTreeMap::new();
    for row in &rows {
        let (at, group) = (row.try_get("timestamp").map_err(sql)?, decode_group(row)?);
        events
            .entry(group.distinct_id.clone())
            .or_default()
            .push((at, group));
    }
    Ok(events)
}

/// Writes facts as they are now.
async fn keep(connection: &mut PgConnection, epoch: i64, facts: &[(Key, Said)]) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let [distinct_ids, properties, values] = columns(facts.iter().map(|(key, _)| key));
    let number = |of: fn(&Said) -> i64| -> Vec<i64> { facts.iter().map(|it| of(&it.1)).collect() };
    query(
        "INSERT INTO identity_facts
            (epoch, distinct_id, property, value, events, first_seen, last_seen)
         SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[],
            $6::bigint[], $7::bigint[]) AS u
         ON CONFLICT (epoch, distinct_id, property, value) DO UPDATE SET
            events = excluded.events, first_seen = excluded.first_seen,
            last_seen = excluded.last_seen",
    )
    .bind(epoch)
    .bind(distinct_ids)
    .bind(properties)
    .bind(values)
    .bind(number(|said| said.events))
    .bind(number(|said| said.first))
    .bind(number(|said| said.last))
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

async fn remove(connection: &mut PgConnection, epoch: i64, facts: &[Key]) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let [distinct_ids, properties, values] = columns(facts.iter());
    query(
        "DELETE FROM identity_facts WHERE epoch = $1 AND ctid = ANY (ARRAY(
            SELECT f.place FROM unnest($2::text[], $3::text[], $4::text[])
                AS u (distinct_id, property, value)
            CROSS JOIN LATERAL (
                SELECT ctid AS place FROM identity_facts AS i
                WHERE i.epoch = $1 AND i.distinct_id = u.distinct_id
                    AND i.property = u.property AND i.value = u.value LIMIT 1) AS f))",
    )
    .bind(epoch)
    .bind(distinct_ids)
    .bind(properties)
    .bind(values)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}
