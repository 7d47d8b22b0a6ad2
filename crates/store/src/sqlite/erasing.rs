//! Erasing a person's rows: the tombstone and the links first, then events in batches, then the ids.

use std::collections::BTreeSet;

use domain::erasure::{Erased, ErasedPerson, ErasedRow};
use domain::storage::Result;
use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::epochs::EpochState;
use super::errors::sql;
use super::events_remove::{self, Doomed};
use super::refusals::{self, hasher};
use super::rows::{Parameters, WriteRows, batches, list_sql};
use super::values::{limit, micros};
use super::{belonging, clickmaps_erase, cohorts_erase, conflicts, event_columns};
use crate::tombstones::IdHash;

/// Events removed in one transaction: others wait that long for the file.
const BATCH: usize = 4096;
/// Distinct ids whose events are looked for at once.
pub(super) const IDS: usize = 256;

/// The person with all that goes with it: the distinct ids that belong to it, and who was merged
/// into it, which are the persons to whom no other distinct ids ever led.
pub(super) async fn whole(
    connection: &mut SqliteConnection,
    epoch: i64,
    person: &ErasedPerson,
) -> Result<ErasedPerson> {
    let mut ids = belonging::ids_of(connection, epoch, &person.persons).await?;
    ids.extend(person.distinct_ids.iter().cloned());
    let mut persons: BTreeSet<Uuid> = person.persons.iter().copied().collect();
    let distinct_ids: Vec<String> = ids.iter().cloned().collect();
    for candidate in belonging::persons_ever_of(connection, epoch, &distinct_ids).await? {
        if !persons.contains(&candidate)
            && belonging::ids_ever_of(connection, epoch, candidate)
                .await?
                .is_subset(&ids)
        {
            persons.insert(candidate);
        }
    }
    Ok(ErasedPerson {
        persons: persons.into_iter().collect(),
        distinct_ids,
    })
}

/// Leaves the tombstones of a [`whole`] person, and removes its links and its stays in cohorts.
pub(super) async fn bury(
    connection: &mut SqliteConnection,
    epoch: i64,
    person: &ErasedPerson,
    now: Timestamp,
) -> Result<Erased> {
    let ErasedPerson {
        persons,
        distinct_ids: ids,
    } = person;
    sqlx::query("INSERT INTO erasure_key (one, key) VALUES (1, ?) ON CONFLICT DO NOTHING")
        .bind(rand::random::<[u8; crate::tombstones::KEY]>().to_vec())
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    let hasher = hasher(connection, epoch).await?;
    for person in persons {
        sqlx::query(
            "INSERT INTO erased_persons (epoch, person_id, erased_at) VALUES (?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(epoch)
        .bind(person)
        .bind(micros(now))
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    }
    let write = WriteRows {
        before: "INSERT INTO erased_ids (epoch, hash, distinct_id, erased_at) VALUES",
        columns: 4,
        after: "ON CONFLICT (epoch, hash) DO UPDATE SET distinct_id = excluded.distinct_id",
        most: IDS,
    };
    // Named again, it may have rows again: they are looked for once more.
    write
        .run(connection, ids, |to, id| {
            to.add(epoch)?;
            to.add(hasher.hash(id))?;
            to.add(id.as_str())?;
            to.add(micros(now))
        })
        .await?;
    sqlx::query(
        "UPDATE epochs SET erasures = (SELECT count(*) FROM erased_ids WHERE epoch = ?1)
            + (SELECT count(*) FROM erased_persons WHERE epoch = ?1)
         WHERE number = ?1",
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
    connection: &mut SqliteConnection,
    epoch: i64,
    ids: &[String],
    links: u64,
) -> Result<()> {
    let told = delete(connection, "identity_fact_changes", epoch, ids).await?;
    if told + links > 0 {
        sqlx::query(
            "UPDATE epochs SET change_seq = change_seq + 1, facts_known_from = change_seq + 1
             WHERE number = ?",
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
    connection: &mut SqliteConnection,
    table: &str,
    epoch: i64,
    ids: &[String],
) -> Result<u64> {
    let mut deleted = 0;
    for batch in batches(ids, IDS) {
        let before = format!("DELETE FROM {table} WHERE epoch = ? AND distinct_id IN");
        let text = list_sql(&before, batch.len(), "");
        deleted += sqlx::query_with(text, of_ids(epoch, batch)?.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?
            .rows_affected();
    }
    Ok(deleted)
}

/// The parameters of a statement about these distinct ids of an epoch.
pub(super) fn of_ids(epoch: i64, ids: &[String]) -> Result<Parameters> {
    let mut parameters = Parameters::with_capacity(1 + ids.len());
    parameters.add(epoch)?;
    for id in ids {
        parameters.add(id.as_str())?;
    }
    Ok(parameters)
}

/// Removes the next events of ids whose erasure has begun, and forgets the ids once none are left.
pub(super) async fn remove_batch(connection: &mut SqliteConnection, epoch: i64) -> Result<u64> {
    let pending: Vec<(IdHash, String)> = sqlx::query_as(
        "SELECT hash, distinct_id FROM erased_ids
         WHERE epoch = ? AND distinct_id IS NOT NULL LIMIT ?",
    )
    .bind(epoch)
    .bind(limit(IDS))
    .fetch_all(&mut *connection)
    .await
    .map_err(sql)?;
    let mut removed = 0;
    for (hash, id) in &pending {
        if removed == BATCH {
            break;
        }
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{} FROM events INDEXED BY events_by_distinct_id
             WHERE epoch = ? AND distinct_id = ? LIMIT ?",
            event_columns::SELECT_STORED
        )))
        .bind(epoch)
        .bind(id)
        .bind(limit(BATCH - removed))
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
        if rows.len() == BATCH - removed {
            take_out(connection, epoch, &rows).await?;
            return Ok(BATCH as u64);
        }
        removed += rows.len();
        take_out(connection, epoch, &rows).await?;
        // They went when it began, but earlier versions read some anew when others of the events went.
        let one = std::slice::from_ref(id);
        let links = delete(connection, "identity_facts", epoch, one).await?;
        forget_told(connection, epoch, one, links).await?;
        sqlx::query("UPDATE erased_ids SET distinct_id = NULL WHERE epoch = ? AND hash = ?")
            .bind(epoch)
            .bind(hash)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(removed as u64)
}

/// Removes events, tells followers, and notes that they are erased.
async fn take_out(connection: &mut SqliteConnection, epoch: i64, rows: &[SqliteRow]) -> Result<()> {
    let mut doomed = Doomed::default();
    doomed.extend(rows)?;
    if doomed.rows.is_empty() {
        return Ok(());
    }
    let mut state = EpochState::load(connection, epoch).await?;
    events_remove::bury(connection, &mut state, &doomed.rows).await?;
    let deltas = events_remove::take_out(connection, &state, &doomed, &[]).await?;
    clickmaps_erase::forget_texts(connection, epoch, &deltas.clickmap_days).await?;
    let rows: Vec<ErasedRow> = doomed
        .rows
        .iter()
        .map(|row| ErasedRow {
            uuid: row.uuid,
            timestamp: row.timestamp,
            created_at: row.created_at,
        })
        .collect();
    refusals::keep(connection, epoch, &rows).await
}
