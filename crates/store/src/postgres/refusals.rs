//! What tombstones refuse of a page or an identity read, and the erased rows that tell of it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use domain::Event;
use domain::erasure::{ErasedRow, Sifted, sift};
use domain::storage::{PersonMapping, Result};
use sqlx::PgConnection;
use uuid::Uuid;

use super::errors::sql;
use super::events_remove;
use super::events_write::stored_rows;
use super::statement::{query, query_scalar};
use super::values::{get, instant, micros};
use crate::epoch_state::EpochState;
use crate::tombstones::{Hasher, Named, Refusals};

/// The hasher of an epoch in which something was erased.
pub(super) async fn hasher(connection: &mut PgConnection, epoch: i64) -> Result<Hasher> {
    let key: Vec<u8> = query_scalar("SELECT key FROM erasure_key")
        .fetch_one(connection)
        .await
        .map_err(sql)?;
    Hasher::new(&key, epoch)
}

/// Takes out of a page what an erased person's is, with its effect on what is stored. Returns what may
/// be stored, and how many rows are not among it.
pub(super) async fn sift_page(
    connection: &mut PgConnection,
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
    let doomed = stored_rows(connection, state.number, &beaten).await?;
    if !doomed.is_empty() {
        events_remove::bury(connection, state, &doomed).await?;
        events_remove::remove(connection, state, &doomed).await?;
    }
    keep(connection, state.number, &refused).await?;
    forget(connection, state.number, &outlived).await?;
    Ok((events, dropped))
}

/// Parts mappings: those that may be stored, and the distinct ids that have come to an erased person.
pub(super) async fn part_mappings<'a>(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    epoch: i64,
    hasher: Hasher,
    named: Named,
) -> Result<Refusals> {
    let hashes: Vec<Vec<u8>> =
        query_scalar("SELECT hash FROM erased_ids WHERE epoch = $1 AND hash = ANY($2)")
            .bind(epoch)
            .bind(named.hashes)
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
    Ok(Refusals {
        hasher,
        hashes: hashes.into_iter().collect(),
        persons: erased_persons(connection, epoch, &named.persons).await?,
    })
}

/// Which of these persons are erased.
pub(super) async fn erased_among(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<HashSet<Uuid>> {
    if persons.is_empty() || !has_any(connection, epoch).await? {
        return Ok(HashSet::new());
    }
    erased_persons(connection, epoch, persons).await
}

/// Whether anybody was erased from the epoch.
async fn has_any(connection: &mut PgConnection, epoch: i64) -> Result<bool> {
    query_scalar("SELECT erasures > 0 FROM epochs WHERE number = $1")
        .bind(epoch)
        .fetch_one(connection)
        .await
        .map_err(sql)
}

async fn erased_persons(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<HashSet<Uuid>> {
    let found: Vec<Uuid> = query_scalar(
        "SELECT person_id FROM erased_persons WHERE epoch = $1 AND person_id = ANY($2)",
    )
    .bind(epoch)
    .bind(persons)
    .fetch_all(connection)
    .await
    .map_err(sql)?;
    Ok(found.into_iter().collect())
}

async fn erased_rows(
    connection: &mut PgConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<Vec<ErasedRow>> {
    query(
        "SELECT uuid, timestamp, created_at FROM erased_events
         WHERE epoch = $1 AND uuid = ANY($2)",
    )
    .bind(epoch)
    .bind(uuids)
    .fetch_all(connection)
    .await
    .map_err(sql)?
    .iter()
    .map(|row| {
        Ok(ErasedRow {
            uuid: get(row, "uuid")?,
            timestamp: instant(get(row, "timestamp")?)?,
            created_at: instant(get(row, "created_at")?)?,
        })
    })
    .collect()
}

/// Notes erased events, over what was noted of them earlier.
pub(super) async fn keep(
    connection: &mut PgConnection,
    epoch: i64,
    rows: &[ErasedRow],
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let uuids: Vec<Uuid> = rows.iter().map(|row| row.uuid).collect();
    let stamps: Vec<i64> = rows.iter().map(|row| micros(row.timestamp)).collect();
    let created: Vec<i64> = rows.iter().map(|row| micros(row.created_at)).collect();
    query(
        "INSERT INTO erased_events (epoch, uuid, timestamp, created_at)
         SELECT $1, e.* FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS e
         ON CONFLICT (epoch, uuid) DO UPDATE SET
            timestamp = excluded.timestamp, created_at = excluded.created_at",
    )
    .bind(epoch)
    .bind(uuids)
    .bind(stamps)
    .bind(created)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Forgets erased events. Returns how many there were.
pub(super) async fn forget(
    connection: &mut PgConnection,
    epoch: i64,
    uuids: &[Uuid],
) -> Result<u64> {
    if uuids.is_empty() {
        return Ok(0);
    }
    let forgotten = query("DELETE FROM erased_events WHERE epoch = $1 AND uuid = ANY($2)")
        .bind(epoch)
        .bind(uuids)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(forgotten.rows_affected())
}
