//! Taking an erased person out of cohorts and of their history. Digests of buckets stay: they are of
//! what PostHog has, and it may have the person still.

use domain::cohorts::CohortBucket;
use domain::storage::Result;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;

use super::errors::sql;
use super::values::unsigned;
use crate::cohort_rows::bucket_column;

/// The rows of a person's stays: those that last are found cohort by cohort, for the index of members
/// begins with it.
const STAYS: &str = "SELECT m.entered_seq
     FROM cohorts AS c CROSS JOIN cohort_members AS m INDEXED BY cohort_members_current
     WHERE c.epoch = ?1 AND m.epoch = ?1 AND m.cohort = c.cohort
        AND m.bucket = ?2 AND m.person_id = ?3 AND m.left_seq IS NULL
     UNION ALL
     SELECT entered_seq FROM cohort_members INDEXED BY cohort_members_left_of_person
     WHERE epoch = ?1 AND person_id = ?3 AND left_seq IS NOT NULL";

/// How many stays these persons have, ended ones included.
pub(super) async fn count(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<u64> {
    let mut stays = 0;
    for person in persons {
        let counted: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM ({STAYS})")))
                .bind(epoch)
                .bind(bucket_column(CohortBucket::of(*person)))
                .bind(person)
                .fetch_one(&mut *connection)
                .await
                .map_err(sql)?;
        stays += unsigned(counted);
    }
    Ok(stays)
}

/// Removes the stays of these persons, who have tombstones, and returns how many there were. Each of
/// them who had any gets the next number of the epoch's changes, by which followers are told: neither
/// of which cohorts nor when.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<u64> {
    let mut stays = 0;
    for person in persons {
        let gone: Vec<(i64, Option<i64>)> = sqlx::query_as(AssertSqlSafe(format!(
            "DELETE FROM cohort_members WHERE epoch = ?1 AND entered_seq IN ({STAYS})
             RETURNING cohort, left_seq"
        )))
        .bind(epoch)
        .bind(bucket_column(CohortBucket::of(*person)))
        .bind(person)
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
        if gone.is_empty() {
            continue;
        }
        stays += gone.len() as u64;
        for (cohort, _) in gone.iter().filter(|(_, left)| left.is_none()) {
            sqlx::query("UPDATE cohorts SET members = members - 1 WHERE epoch = ? AND cohort = ?")
                .bind(epoch)
                .bind(cohort)
                .execute(&mut *connection)
                .await
                .map_err(sql)?;
        }
        tell(connection, epoch, *person).await?;
    }
    Ok(stays)
}

async fn tell(connection: &mut SqliteConnection, epoch: i64, person: Uuid) -> Result<()> {
    let seq: i64 = sqlx::query_scalar(
        "UPDATE cohort_histories SET latest = latest + 1 WHERE epoch = ? RETURNING latest",
    )
    .bind(epoch)
    .fetch_one(&mut *connection)
    .await
    .map_err(sql)?;
    sqlx::query("UPDATE erased_persons SET cohort_seq = ? WHERE epoch = ? AND person_id = ?")
        .bind(seq)
        .bind(epoch)
        .bind(person)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}
