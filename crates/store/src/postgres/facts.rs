//! Identity facts: which ids the stored events of a distinct id carry, exact at any moment.

use domain::merge::FactDelta;
use domain::storage::Result;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::errors::sql;
use super::statement::{query, query_scalar};
use super::{conflicts, fact_changes};
use crate::columns::properties_from_json;
use crate::epoch_state::EpochState;
use crate::fact_rows::{GROUPED, Gains, Group, Key, Said, changed, part};

/// Moves the stored facts by `deltas`. Where an event no longer says something, its distinct id's
/// facts are read anew from the events that remain.
pub(super) async fn add(
    connection: &mut PgConnection,
    state: &mut EpochState,
    deltas: &[FactDelta],
) -> Result<()> {
    let (gains, unsure) = part(deltas)?;
    put(connection, state, &gains).await?;
    if unsure.is_empty() {
        return Ok(());
    }
    recompute(connection, state, &unsure).await
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

/// Writes the facts of these distinct ids anew, from their stored events.
async fn recompute(
    connection: &mut PgConnection,
    state: &mut EpochState,
    distinct_ids: &[&str],
) -> Result<()> {
    let epoch = state.number;
    let before = query(
        "DELETE FROM identity_facts WHERE epoch = $1 AND distinct_id = ANY($2)
         RETURNING distinct_id, property, value, first_seen, last_seen",
    )
    .bind(epoch)
    .bind(distinct_ids)
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
    let groups = query(AssertSqlSafe(format!(
        "SELECT {GROUPED}, count(*) AS events, min(e.timestamp) AS first_said,
            max(e.timestamp) AS last_said
         FROM unnest($2::text[]) AS u (distinct_id) JOIN events AS e
            ON e.epoch = $1 AND left(e.distinct_id, 500) = left(u.distinct_id, 500)
            AND e.distinct_id = u.distinct_id
         GROUP BY 1, 2, 3, 4",
    )))
    .bind(epoch)
    .bind(distinct_ids)
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
    fact_changes::note(connection, state, &changed(&before, &gains)).await
}

/// Reads the columns of [`GROUPED`].
pub(super) fn decode_group(row: &PgRow) -> Result<Group> {
    let text = |column| row.try_get(column).map_err(sql);
    Ok(Group {
        distinct_id: row.try_get("distinct_id").map_err(sql)?,
        id_properties: properties_from_json(row.try_get("id_properties").map_err(sql)?)?,
        asks: text("asks")?,
        other_id: text("other_id")?,
    })
}
