//! Facts that an event says no more: looked up, settled and written.

use domain::storage::Result;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::epochs::EpochState;
use super::errors::sql;
use super::fact_changes;
use super::facts::decode_group;
use super::rows::{Parameters, WriteRows, batches, values_sql};
use super::values::limit;
use crate::fact_losses::{End, Losses, Place, Settling};
use crate::fact_rows::{GROUPED, Group, Key, Said};

/// Facts named with one statement.
const ROWS: usize = 256;

/// Takes from the stored facts what they lose.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
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
            for place in &places {
                let own = events_at(connection, state.number, search.end, place).await?;
                search.take(place, &own)?;
            }
        }
    }
    let settled = settling.settle();
    keep(connection, state.number, &settled.kept).await?;
    remove(connection, state.number, &settled.gone).await?;
    fact_changes::note(connection, state, &settled.changed).await
}

/// Parameters of a list of facts of an epoch.
fn of_keys(keys: &[&Key], epoch: i64) -> Result<Parameters> {
    let mut parameters = Parameters::with_capacity(3 * keys.len() + 1);
    for (distinct_id, property, value) in keys {
        parameters.add(distinct_id.as_str())?;
        parameters.add(property.as_str())?;
        parameters.add(value.as_str())?;
    }
    parameters.add(epoch)?;
    Ok(parameters)
}

/// The facts that lose something, as they are stored.
async fn stored(
    connection: &mut SqliteConnection,
    epoch: i64,
    losses: &Losses,
) -> Result<Vec<(Key, Said)>> {
    let keys: Vec<&Key> = losses.keys().collect();
    let mut found = Vec::with_capacity(keys.len());
    for batch in batches(&keys, ROWS) {
        let text = values_sql(
            "WITH u (distinct_id, property, value) AS (VALUES",
            3,
            batch.len(),
            ") SELECT f.distinct_id, f.property, f.value, f.events, f.first_seen, f.last_seen
             FROM u CROSS JOIN identity_facts AS f
             WHERE f.epoch = ? AND f.distinct_id = u.distinct_id AND f.property = u.property
                AND f.value = u.value",
        );
        let rows = sqlx::query_with(text, of_keys(batch, epoch)?.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
        for row in &rows {
            let text = |column: usize| row.try_get(column).map_err(sql);
            let number = |column: usize| row.try_get(column).map_err(sql);
            let said = Said {
                events: number(3)?,
                first: number(4)?,
                last: number(5)?,
            };
            found.push(((text(0)?, text(1)?, text(2)?), said));
        }
    }
    Ok(found)
}

/// Events of one distinct id from a time on, as [`Group`]s with their times.
pub(super) fn events_sql(end: End) -> String {
    let (beyond, direction) = match end {
        End::First => (">=", "ASC"),
        End::Last => ("<=", "DESC"),
    };
    format!(
        "SELECT e.timestamp, {GROUPED} FROM events AS e INDEXED BY events_by_distinct_id
         WHERE e.epoch = ? AND e.distinct_id = ? AND e.timestamp {beyond} ?
         ORDER BY e.timestamp {direction} LIMIT ?"
    )
}

/// Events at a place, in the order of the search.
async fn events_at(
    connection: &mut SqliteConnection,
    epoch: i64,
    end: End,
    place: &Place,
) -> Result<Vec<(i64, Group)>> {
    sqlx::query(AssertSqlSafe(events_sql(end)))
        .bind(epoch)
        .bind(&place.distinct_id)
        .bind(place.from)
        .bind(limit(place.most))
        .fetch_all(connection)
        .await
        .map_err(sql)?
        .iter()
        .map(|row| Ok((row.try_get("timestamp").map_err(sql)?, decode_group(row)?)))
        .collect()
}

/// Writes facts as they are now.
async fn keep(connection: &mut SqliteConnection, epoch: i64, facts: &[(Key, Said)]) -> Result<()> {
    let write = WriteRows {
        before: "INSERT OR REPLACE INTO identity_facts
                (epoch, distinct_id, property, value, events, first_seen, last_seen) VALUES",
        columns: 7,
        after: "",
        most: ROWS,
    };
    write
        .run(connection, facts, |to, (key, said)| {
            to.add(epoch)?;
            to.add(key.0.as_str())?;
            to.add(key.1.as_str())?;
            to.add(key.2.as_str())?;
            to.add(said.events)?;
            to.add(said.first)?;
            to.add(said.last)
        })
        .await
}

/// Removes facts; a list that is selected is looked up in an index, one that stands there is not.
pub(super) const REMOVE: [&str; 2] = [
    "WITH u (distinct_id, property, value) AS (VALUES",
    ") DELETE FROM identity_facts
     WHERE (distinct_id, property, value) IN (SELECT * FROM u) AND epoch = ?",
];

async fn remove(connection: &mut SqliteConnection, epoch: i64, facts: &[Key]) -> Result<()> {
    let keys: Vec<&Key> = facts.iter().collect();
    let [before, after] = REMOVE;
    for batch in batches(&keys, ROWS) {
        let text = values_sql(before, 3, batch.len(), after);
        sqlx::query_with(text, of_keys(batch, epoch)?.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}
