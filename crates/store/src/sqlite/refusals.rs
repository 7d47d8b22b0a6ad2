//! What tombstones refuse of a page or an identity read, and the erased rows that tell of it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use domain::Event;
use domain::erasure::{ErasedRow, Sifted, sift};
use domain::storage::{PersonMapping, Result};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::epochs::EpochState;
use super::errors::sql;
use super::events_remove;
use super::events_write::stored_rows;
use super::rows::{Parameters, WriteRows, batches, list_sql};
use super::values::{get, instant, micros};
use crate::tombstones::{Hasher, IdHash, Named, Refusals};

/// Rows named with one statement.
const ROWS: usize = 512;

/// The hasher of an epoch in which something was erased.
pub(super) async fn hasher(connection: &mut SqliteConnection, epoch: i64) -> Result<Hasher> {
    let key: Vec<u8> = sqlx::query_scalar("SELECT key FROM erasure_key")
        .fetch_one(connection)
        .await
        .map_err(sql)?;
    Hasher::new(&key, epoch)
}

/// Takes out of a page what an erased person's is, with its effect on what is stored. Returns what may
/// be stored, and how many rows are not among it.
pub(super) async fn sift_page(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    mut events: Vec<Event>,
) -> Result<(Vec<Event>, u64)> {
    events.iter_mut().for_each(Event::replace_nul);
    let hasher = hasher(connection, state.number).await?;
    let ids = events
        .iter()
        .map(|it| (it.distinct_id.as_str(), it.person_id));
    let named = Named::of(&hasher, ids);
    let refusals = find(connection, state.number, hasher, named).await?;
    let uuids: BTreeSet<Uuid> = events.iter().map(|event| event.uuid).collect();
    let uuids: Vec<Uuid> = uuids.into_iter().collect();
    let erased = erased_rows(connection, state.number, &uuids).await?;
    if refusals.is_empty() && erased.is_empty() {
        return Ok((events, 0));
    }
    let stored = stored_rows(connection, state.number, &uuids).await?;
    let sifted = sift(&stored, &erased, events, |event| refusals.refuses(event));
    let Sifted {
        events,
        refused,
        beaten,
        outlived,
        dropped,
    } = sifted;
    let doomed = events_remove::find(connection, state.number, &beaten).await?;
    if !doomed.rows.is_empty() {
        events_remove::bury(connection, state, &doomed.rows).await?;
        events_remove::remove(connection, state, &doomed).await?;
    }
    keep(connection, state.number, &refused).await?;
    forget(connection, state.number, &outlived).await?;
    Ok((events, dropped))
}

/// Parts mappings: those that may be stored, and the distinct ids that have come to an erased person.
pub(super) async fn part_mappings<'a>(
    connection: &mut SqliteConnection,
    epoch: i64,
    mappings: &'a [PersonMapping],
) -> Result<(Cow<'a, [PersonMapping]>, BTreeSet<String>)> {
    if !has_any(connection, epoch).await? {
        return Ok((Cow::Borrowed(mappings), BTreeSet::new()));
    }
    let hasher = hasher(connection, epoch).await?;
    let ids = mappings.iter();
    let ids = ids.map(|it| (it.distinct_id.as_str(), Some(it.person_id)));
    let named = Named::of(&hasher, ids);
    let refusals = find(connection, epoch, hasher, named).await?;
    Ok(refusals.part(mappings))
}

async fn find(
    connection: &mut SqliteConnection,
    epoch: i64,
    hasher: Hasher,
    named: Named,
) -> Result<Refusals> {
    let mut hashes = HashSet::new();
    for batch in batches(&named.hashes, ROWS) {
        let mut parameters = Parameters::with_capacity(1 + batch.len());
        parameters.add(epoch)?;
        for hash in batch {
            parameters.add(hash.as_slice())?;
        }
        let text = list_sql(
            "SELECT hash FROM erased_ids WHERE epoch = ? AND hash IN",
            batch.len(),
            "",
        );
        let found: Vec<IdHash> = sqlx::query_scalar_with(text, parameters.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
        hashes.extend(found);
    }
    Ok(Refusals {
        hasher,
        hashes,
        persons: erased_persons(connection, epoch, &named.persons).await?,
    })
}

/// Which of these persons are erased.
pub(super) async fn erased_among(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<HashSet<Uuid>> {
    if persons.is_empty() || !has_any(connection, epoch).await? {
        return Ok(HashSet::new());
    }
    erased_persons(connection, epoch, persons).await
}

/// Whether anybody was erased from the epoch.
async fn has_any(connection: &mut SqliteConnection, epoch: i64) -> Result<bool> {
    sqlx::query_scalar("SELECT erasures > 0 FROM epochs WHERE number = ?")
        .bind(epoch)
        .fetch_one(connection)
        .await
        .map_err(sql)
}

async fn erased_persons(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<HashSet<Uuid>> {
    let mut erased = HashSet::new();
    for batch in batches(persons, ROWS) {
        let text = list_sql(
            "SELECT person_id FROM erased_persons WHERE epoch = ? AND person_id IN",
            batch.len(),
            "",
        );
        let found: Vec<Uuid> =
            sqlx::query_scalar_with(text, of_uuids(epoch, batch)?.into_arguments())
                .fetch_all(&mut *connection)
                .await
                .map_err(sql)?;
        erased.extend(found);
    }
    Ok(erased)
}

async fn erased_rows(
    connection: &mut SqliteConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<Vec<ErasedRow>> {
    let mut found = Vec::new();
    for batch in batches(uuids, ROWS) {
        let text = list_sql(
            "SELECT uuid, timestamp, created_at FROM erased_events WHERE epoch = ? AND uuid IN",
            batch.len(),
            "",
        );
        let rows = sqlx::query_with(text, of_uuids(epoch, batch)?.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
        for row in &rows {
            found.push(ErasedRow {
                uuid: get(row, "uuid")?,
                timestamp: instant(get(row, "timestamp")?)?,
                created_at: instant(get(row, "created_at")?)?,
            });
        }
    }
    Ok(found)
}

/// Notes erased events, over what was noted of them earlier.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    epoch: i64,
    rows: &[ErasedRow],
) -> Result<()> {
    let write = WriteRows {
        before: "INSERT OR REPLACE INTO erased_events (epoch, uuid, timestamp, created_at) VALUES",
        columns: 4,
        after: "",
        most: ROWS,
    };
    write
        .run(connection, rows, |to, row| {
            to.add(epoch)?;
            to.add(row.uuid)?;
            to.add(micros(row.timestamp))?;
            to.add(micros(row.created_at))
        })
        .await?;
    Ok(())
}

/// Forgets erased events. Returns how many there were.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<u64> {
    let mut forgotten = 0;
    for batch in batches(uuids, ROWS) {
        let text = list_sql(
            "DELETE FROM erased_events WHERE epoch = ? AND uuid IN",
            batch.len(),
            "",
        );
        forgotten += sqlx::query_with(text, of_uuids(epoch, batch)?.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?
            .rows_affected();
    }
    Ok(forgotten)
}

fn of_uuids(epoch: i64, uuids: &[Uuid]) -> Result<Parameters> {
    let mut parameters = Parameters::with_capacity(1 + uuids.len());
    parameters.add(epoch)?;
    for uuid in uuids {
        parameters.add(*uuid)?;
    }
    Ok(parameters)
}
