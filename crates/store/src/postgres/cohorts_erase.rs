//! Taking an erased person out of cohorts and of their history. Digests of buckets stay: they are of
//! what PostHog has, and it may have the person still.

use std::collections::{BTreeMap, BTreeSet};

use domain::cohorts::CohortBucket;
use domain::storage::Result;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::errors::sql;
use super::statement::{query, query_as, query_scalar};
use super::values::{limit, unsigned};
use crate::cohort_rows::bucket_column;

/// The rows of these persons' stays: those that last are found cohort by cohort, for the index of
/// members begins with it.
const STAYS: &str = "SELECT m.entered_seq FROM cohorts AS c
        CROSS JOIN unnest($2::smallint[], $3::uuid[]) AS p (bucket, person_id)
        JOIN cohort_members AS m ON m.epoch = c.epoch AND m.cohort = c.cohort
            AND m.bucket = p.bucket AND m.person_id = p.person_id AND m.left_seq IS NULL
     WHERE c.epoch = $1
     UNION ALL
     SELECT entered_seq FROM cohort_members
     WHERE epoch = $1 AND person_id = ANY($3) AND left_seq IS NOT NULL";

fn buckets(persons: &[Uuid]) -> Vec<i16> {
    let buckets = persons.iter().map(|person| CohortBucket::of(*person));
    buckets.map(bucket_column).collect()
}

/// How many stays these persons have, ended ones included.
pub(super) async fn count(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<u64> {
    let text = format!("SELECT count(*) FROM ({STAYS}) AS stays");
    let counted: i64 = query_scalar(AssertSqlSafe(text))
        .bind(epoch)
        .bind(buckets(persons))
        .bind(persons)
        .fetch_one(connection)
        .await
        .map_err(sql)?;
    Ok(unsigned(counted))
}

/// Removes the stays of these persons, who have tombstones, and returns how many there were. Each of
/// them who had any gets the next number of the epoch's changes, by which followers are told: neither
/// of which cohorts nor when.
pub(super) async fn remove(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<u64> {
    let text = format!(
        "DELETE FROM cohort_members WHERE epoch = $1 AND entered_seq IN ({STAYS})
         RETURNING cohort, person_id, left_seq IS NULL"
    );
    let gone: Vec<(i64, Uuid, bool)> = query_as(AssertSqlSafe(text))
        .bind(epoch)
        .bind(buckets(persons))
        .bind(persons)
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
    if gone.is_empty() {
        return Ok(0);
    }
    let mut members: BTreeMap<i64, i64> = BTreeMap::new();
    for (cohort, _, is_member) in &gone {
        *members.entry(*cohort).or_default() += i64::from(*is_member);
    }
    let (cohorts, members): (Vec<i64>, Vec<i64>) = members.into_iter().unzip();
    query(
        "UPDATE cohorts SET members = cohorts.members - g.members
         FROM unnest($2::bigint[], $3::bigint[]) AS g (cohort, members)
         WHERE epoch = $1 AND cohorts.cohort = g.cohort",
    )
    .bind(epoch)
    .bind(cohorts)
    .bind(members)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    let told: BTreeSet<Uuid> = gone.iter().map(|(_, person, _)| *person).collect();
    tell(connection, epoch, &told.into_iter().collect::<Vec<_>>()).await?;
    Ok(gone.len() as u64)
}

async fn tell(connection: &mut PgConnection, epoch: i64, persons: &[Uuid]) -> Result<()> {
    query(
        "UPDATE erased_persons AS e SET cohort_seq = h.latest + p.place
         FROM cohort_histories AS h, unnest($2::uuid[]) WITH ORDINALITY AS p (person_id, place)
         WHERE e.epoch = $1 AND h.epoch = $1 AND e.person_id = p.person_id",
    )
    .bind(epoch)
    .bind(persons)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    query("UPDATE cohort_histories SET latest = latest + $2 WHERE epoch = $1")
        .bind(epoch)
        .bind(limit(persons.len()))
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}
