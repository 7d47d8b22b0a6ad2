//! Identity facts: which ids the stored events of a distinct id carry, exact at any moment.

use std::collections::{BTreeMap, BTreeSet};

use domain::identity::{Evidence, IdProperty, IdentityFact, IdentityKey, facts_of};
use domain::merge::FactDelta;
use domain::storage::Result;
use sqlx::{Row, SqliteConnection};

use super::errors::{corrupt, sql};
use super::event_columns::properties_from_json;
use super::events_write::any_kind;
use super::rows::{Parameters, batches, list_sql, values_sql};
use super::values::micros;

const ROWS: usize = 256;

/// What stands for the distinct id's own form in the column of properties: no property has an
/// empty name.
pub(super) const OWN_FORM: &str = "";

/// A fact as stored: (distinct id, property, value).
type Key = (String, String, String);

/// How often a fact is said, and the microseconds of the first and last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    events: i64,
    first: i64,
    last: i64,
}

/// Moves the stored facts by `deltas`. Where an event no longer says something, its distinct id's
/// facts are read anew from the events that remain.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    epoch: i64,
    deltas: &[FactDelta],
) -> Result<()> {
    let unsure: BTreeSet<&str> = deltas
        .iter()
        .filter(|delta| delta.unsaid.is_some())
        .map(|delta| delta.fact.distinct_id.as_str())
        .collect();
    let mut said = BTreeMap::new();
    for delta in deltas {
        if let Some((first, last)) = delta.said
            && !unsure.contains(delta.fact.distinct_id.as_str())
        {
            said.insert(
                key(&delta.fact)?,
                Said {
                    events: delta.delta,
                    first: micros(first),
                    last: micros(last),
                },
            );
        }
    }
    put(connection, epoch, said).await?;
    let unsure: Vec<&str> = unsure.into_iter().collect();
    recompute(connection, epoch, &unsure).await
}

fn key(fact: &IdentityFact) -> Result<Key> {
    let value = match &fact.to {
        IdentityKey::CustomerId(value)
        | IdentityKey::AnonymousId(value)
        | IdentityKey::Email(value) => value,
        IdentityKey::DistinctId(_) | IdentityKey::Person(_) => {
            return Err(corrupt(
                "an event linked a distinct id to another or to a person",
            ));
        }
    };
    let property = match &fact.evidence {
        Evidence::EventProperty(property) => property,
        Evidence::DistinctIdForm | Evidence::PersonMapping => OWN_FORM,
    };
    Ok((fact.distinct_id.clone(), property.to_owned(), value.clone()))
}

async fn put(
    connection: &mut SqliteConnection,
    epoch: i64,
    said: BTreeMap<Key, Said>,
) -> Result<()> {
    let rows: Vec<(Key, Said)> = said.into_iter().collect();
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
        let mut said = BTreeMap::new();
        for row in &groups {
            let distinct_id: &str = row.try_get(0).map_err(sql)?;
            let carried = properties_from_json(row.try_get(1).map_err(sql)?)?;
            let group = Said {
                events: row.try_get(2).map_err(sql)?,
                first: row.try_get(3).map_err(sql)?,
                last: row.try_get(4).map_err(sql)?,
            };
            let properties: Vec<IdProperty> = carried.keys().map(|name| any_kind(name)).collect();
            for fact in facts_of(distinct_id, &carried, &properties) {
                said.entry(key(&fact)?)
                    .and_modify(|sum: &mut Said| {
                        sum.events += group.events;
                        sum.first = sum.first.min(group.first);
                        sum.last = sum.last.max(group.last);
                    })
                    .or_insert(group);
            }
        }
        put(connection, epoch, said).await?;
    }
    Ok(())
}
