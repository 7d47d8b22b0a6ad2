//! Erasing a person's rows: the tombstone and the links first, then events in batches, then the ids.

use std::collections::BTreeSet;

use domain::ConnectionId;
use domain::erasure::{Erased, ErasedPerson, ErasedRow};
use domain::storage::Result;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::errors::sql;
use super::refusals::{self, hasher};
use super::statement::{query, query_as, query_scalar};
use super::values::{limit, micros};
use super::{
    belonging, clickmaps_erase, cohorts_erase, conflicts, epochs, event_columns, events_remove,
};
use crate::failures::not_found;
use crate::tombstones::IdHash;

/// Events removed in one transaction: the epoch's row is held that long.
const BATCH: usize = 4096;
/// Distinct ids whose events are looked for at once.
const IDS: usize = 256;

/// The rows of these distinct ids in a table whose index holds the first 500 characters.
pub(super) const OF_IDS: &str = "epoch = $1 AND distinct_id = ANY($2)
    AND left(distinct_id, 500) = ANY(ARRAY(SELECT left(i, 500) FROM unnest($2::text[]) AS i))";

/// Locks the epoch's row until the transaction ends, as whoever writes its rows does.
pub(super) async fn lock(connection: &mut PgConnection, id: ConnectionId) -> Result<i64> {
    query_scalar("SELECT number FROM epochs WHERE id = $1 FOR NO KEY UPDATE")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .ok_or_else(|| not_found(format!("connection {id}")))
}

/// The person with all that goes with it: the distinct ids that belong to it, and who was merged
/// into it, which are the persons to whom no other distinct ids ever led.
pub(super) async fn whole(
    connection: &mut PgConnection,
    epoch: i64,
    person: &ErasedPerson,
) -> Result<ErasedPerson> {
    let mut ids = belonging::ids_of(connection, epoch, &person.persons).await?;
    ids.extend(person.distinct_ids.iter().cloned());
    let ids: Vec<String> = ids.into_iter().collect();
    // Two conditions, for there is an index of links that have ended and one of those that have not.
    let text = format!(
        "SELECT DISTINCT person_id FROM person_links AS own WHERE {OF_IDS}
            AND NOT EXISTS (SELECT 1 FROM person_links AS o WHERE o.epoch = $1
                AND o.person_id = own.person_id AND o.valid_to IS NULL
                AND o.distinct_id <> ALL($2))
            AND NOT EXISTS (SELECT 1 FROM person_links AS o WHERE o.epoch = $1
                AND o.person_id = own.person_id AND o.valid_to IS NOT NULL
                AND o.distinct_id <> ALL($2))"
    );
    let merged: Vec<Uuid> = query_scalar(AssertSqlSafe(text))
        .bind(epoch)
        .bind(&ids)
        .fetch_all(connection)
        .await
        .map_err(sql)?;
    let mut persons: BTreeSet<Uuid> = merged.into_iter().collect();
    persons.extend(&person.persons);
    Ok(ErasedPerson {
        persons: persons.into_iter().collect(),
        distinct_ids: ids,
    })
}

/// Leaves the tombstones of a [`whole`] person, and removes its links and its stays in cohorts.
pub(super) async fn bury(
    connection: &mut PgConnection,
    epoch: i64,
    person: &ErasedPerson,
    now: Timestamp,
) -> Result<Erased> {
    let ErasedPerson {
        persons,
        distinct_ids: ids,
    } = person;
    query("INSERT INTO erasure_key (key) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(rand::random::<[u8; crate::tombstones::KEY]>().to_vec())
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    let hasher = hasher(connection, epoch).await?;
    let hashes: Vec<IdHash> = ids.iter().map(|id| hasher.hash(id)).collect();
    query(
        "INSERT INTO erased_persons (epoch, person_id, erased_at)
         SELECT $1, p, $3 FROM unnest($2::uuid[]) AS p ON CONFLICT DO NOTHING",
    )
    .bind(epoch)
    .bind(persons)
    .bind(micros(now))
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    // Named again, it may have rows again: they are looked for once more.
    query(
        "INSERT INTO erased_ids (epoch, hash, distinct_id, erased_at)
         SELECT $1, i.hash, i.distinct_id, $4
         FROM unnest($2::bytea[], $3::text[]) AS i (hash, distinct_id)
         ON CONFLICT (epoch, hash) DO UPDATE SET distinct_id = excluded.distinct_id",
    )
    .bind(epoch)
    .bind(hashes)
    .bind(ids)
    .bind(micros(now))
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    query(
        "UPDATE epochs SET erasures = (SELECT count(*) FROM erased_ids WHERE epoch = $1)
            + (SELECT count(*) FROM erased_persons WHERE epoch = $1)
         WHERE number = $1",
    )
    .bind(epoch)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    let erased = Erased {
        persons: persons.len() as u64,
        distinct_ids: ids.len() as u64,
        events: 0,
        person_links: delete(connection, "person_links", epoch, ids).await?,
        fact_links: delete(connection, "identity_facts", epoch, ids).await?,
        cohort_stays: cohorts_erase::remove(connection, epoch, persons).await?,
    };
    conflicts::forget(connection, epoch, persons).await?;
    forget_told(
        connection,
        epoch,
        ids,
        erased.person_links + erased.fact_links,
    )
    .await?;
    Ok(erased)
}

/// Forgets what followers of links would still be told of these distinct ids. When links went with
/// them, followers begin anew: to tell them what went would keep it.
async fn forget_told(
    connection: &mut PgConnection,
    epoch: i64,
    ids: &[String],
    links: u64,
) -> Result<()> {
    let told = delete(connection, "identity_fact_changes", epoch, ids).await?;
    if told + links > 0 {
        query(
            "UPDATE epochs SET change_seq = change_seq + 1, facts_known_from = change_seq + 1
             WHERE number = $1",
        )
        .bind(epoch)
        .execute(connection)
        .await
        .map_err(sql)?;
    }
    Ok(())
}

/// Removes what a table has of these distinct ids.
async fn delete(
    connection: &mut PgConnection,
    table: &str,
    epoch: i64,
    ids: &[String],
) -> Result<u64> {
    let text = format!("DELETE FROM {table} WHERE {OF_IDS}");
    let deleted = query(AssertSqlSafe(text))
        .bind(epoch)
        .bind(ids)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(deleted.rows_affected())
}

/// Removes the next events of ids whose erasure has begun, and forgets the ids once none are left.
pub(super) async fn remove_batch(connection: &mut PgConnection, epoch: i64) -> Result<u64> {
    let pending: Vec<(IdHash, String)> = query_as(
        "SELECT hash, distinct_id FROM erased_ids
         WHERE epoch = $1 AND distinct_id IS NOT NULL LIMIT $2",
    )
    .bind(epoch)
    .bind(limit(IDS))
    .fetch_all(&mut *connection)
    .await
    .map_err(sql)?;
    let (hashes, ids): (Vec<IdHash>, Vec<String>) = pending.into_iter().unzip();
    let text = format!(
        "{} FROM events WHERE {OF_IDS} LIMIT $3",
        event_columns::SELECT_STORED
    );
    let doomed = query(AssertSqlSafe(text))
        .bind(epoch)
        .bind(&ids)
        .bind(limit(BATCH))
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?
        .iter()
        .map(event_columns::decode_stored)
        .collect::<Result<Vec<_>>>()?;
    if !doomed.is_empty() {
        let mut state = epochs::load(connection, epoch).await?;
        events_remove::bury(connection, &mut state, &doomed).await?;
        let deltas = events_remove::take_out(connection, &state, &doomed, &[]).await?;
        clickmaps_erase::forget_texts(connection, epoch, &deltas.clickmap_days).await?;
        let rows: Vec<ErasedRow> = doomed
            .iter()
            .map(|row| ErasedRow {
                uuid: row.uuid,
                timestamp: row.timestamp,
                created_at: row.created_at,
            })
            .collect();
        refusals::keep(connection, epoch, &rows).await?;
    }
    if doomed.len() < BATCH {
        // They went when it began, but earlier versions read some anew when others of the events went.
        let links = delete(connection, "identity_facts", epoch, &ids).await?;
        forget_told(connection, epoch, &ids, links).await?;
        query("UPDATE erased_ids SET distinct_id = NULL WHERE epoch = $1 AND hash = ANY($2)")
            .bind(epoch)
            .bind(hashes)
            .execute(connection)
            .await
            .map_err(sql)?;
    }
    Ok(doomed.len() as u64)
}
