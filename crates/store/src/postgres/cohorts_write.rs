//! Cohorts as PostHog lists them, and the members of their parts with the history of who came and
//! went.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::cohorts::{Cohort, CohortBucket, CohortDigest, CohortId};
use domain::storage::{
    CohortPart, CohortRead, CohortRecord, CohortWriter, Lease, MembersMoved, Result,
};
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::errors::sql;
use super::statement::{query, query_as, query_scalar};
use super::values::{limit, micros, signed, to_json};
use super::{PostgresStore, leases, refusals};
use crate::cohort_rows::{
    CohortRow, Moves, bucket_column, bucket_of_columns, list_difference, moves, newcomers,
};
use crate::failures::not_found;

/// Members removed in one transaction.
const BATCH: usize = 20_000;

#[async_trait]
impl CohortWriter for PostgresStore {
    async fn put_cohorts(
        &self,
        lease: &Lease,
        listed: &[Cohort],
        observed_at: Timestamp,
    ) -> Result<Vec<CohortRecord>> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let stored = all(&mut tx, epoch).await?;
        let difference = list_difference(listed, &stored);
        if difference.put.is_empty() && difference.gone.is_empty() {
            tx.end().await?;
            return Ok(stored);
        }
        for cohort in difference.put {
            query(
                "INSERT INTO cohorts (epoch, cohort, listed) VALUES ($1, $2, $3)
                 ON CONFLICT (epoch, cohort)
                 DO UPDATE SET listed = excluded.listed, deleted_at = NULL",
            )
            .bind(epoch)
            .bind(cohort.id.0)
            .bind(to_json(cohort)?)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        let gone: Vec<i64> = difference.gone.iter().map(|id| id.0).collect();
        // What comes back is read again, whatever it was when it went.
        query(
            "UPDATE cohorts SET deleted_at = $3, read_at = NULL, read_mark = NULL
             WHERE epoch = $1 AND cohort = ANY($2)",
        )
        .bind(epoch)
        .bind(gone)
        .bind(micros(observed_at))
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        let stored = all(&mut tx, epoch).await?;
        tx.commit().await?;
        Ok(stored)
    }

    async fn put_members(
        &self,
        lease: &Lease,
        part: &CohortPart,
        observed_at: Timestamp,
    ) -> Result<MembersMoved> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let known: Option<i64> =
            query_scalar("SELECT members FROM cohorts WHERE epoch = $1 AND cohort = $2")
                .bind(epoch)
                .bind(part.cohort.0)
                .fetch_optional(&mut *tx)
                .await
                .map_err(sql)?;
        if known.is_none() {
            return Err(not_found(format!("cohort {}", part.cohort)));
        }
        let stored = stored_members(&mut tx, epoch, part).await?;
        let noted = noted_digests(&mut tx, epoch, part).await?;
        let newcomers = newcomers(part, &stored);
        let erased = refusals::erased_among(&mut tx, epoch, &newcomers).await?;
        let moves = moves(part, &stored, &noted, newcomers, &erased);
        if moves.are_none() {
            tx.end().await?;
            return Ok(MembersMoved::default());
        }
        write_members(&mut tx, epoch, part.cohort, &moves, micros(observed_at)).await?;
        write_buckets(&mut tx, epoch, part.cohort, &moves).await?;
        tx.commit().await?;
        Ok(MembersMoved {
            entered: moves.entered.len() as u64,
            left: moves.left.len() as u64,
        })
    }

    async fn cohorts_read(&self, lease: &Lease, read: &[(CohortId, CohortRead)]) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        for (cohort, read) in read {
            query(
                "UPDATE cohorts SET read_at = $3, read_mark = $4 WHERE epoch = $1 AND cohort = $2",
            )
            .bind(epoch)
            .bind(cohort.0)
            .bind(micros(read.at))
            .bind(to_json(&read.mark)?)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        tx.commit().await
    }

    async fn expire_cohort_changes(&self, lease: &Lease, before: Timestamp) -> Result<u64> {
        let mut expired = 0;
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            // Numbers are given in the order of time, so that what is past lies in front.
            let gone: Vec<i64> = query_scalar(
                "WITH oldest AS MATERIALIZED (
                    SELECT entered_seq, left_at FROM cohort_members
                    WHERE epoch = $1 AND left_seq IS NOT NULL ORDER BY left_seq LIMIT $3)
                 DELETE FROM cohort_members AS m USING oldest AS o
                 WHERE m.epoch = $1 AND m.entered_seq = o.entered_seq AND o.left_at < $2
                 RETURNING m.left_seq",
            )
            .bind(epoch)
            .bind(micros(before))
            .bind(limit(BATCH))
            .fetch_all(&mut *tx)
            .await
            .map_err(sql)?;
            expired += gone.len() as u64;
            if let Some(latest) = gone.iter().max() {
                query(
                    "UPDATE cohort_histories SET forgotten = greatest(forgotten, $2)
                     WHERE epoch = $1",
                )
                .bind(epoch)
                .bind(latest)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
            }
            if gone.len() < BATCH {
                // Of a cohort in which PostHog had none but erased persons, digests are left.
                query(
                    "WITH gone AS (
                        DELETE FROM cohorts WHERE epoch = $1 AND deleted_at < $2 AND members = 0
                        RETURNING cohort)
                     DELETE FROM cohort_buckets
                     WHERE epoch = $1 AND cohort IN (SELECT cohort FROM gone)",
                )
                .bind(epoch)
                .bind(micros(before))
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
                tx.commit().await?;
                return Ok(expired);
            }
            tx.commit().await?;
        }
    }
}

async fn all(connection: &mut PgConnection, epoch: i64) -> Result<Vec<CohortRecord>> {
    let rows: Vec<CohortRow> = query_as("SELECT * FROM cohorts WHERE epoch = $1 ORDER BY cohort")
        .bind(epoch)
        .fetch_all(connection)
        .await
        .map_err(sql)?;
    rows.into_iter().map(CohortRow::record).collect()
}

/// The members that the part's buckets have so far, each with the number of its row.
async fn stored_members(
    connection: &mut PgConnection,
    epoch: i64,
    part: &CohortPart,
) -> Result<BTreeMap<Uuid, i64>> {
    let buckets = buckets_of(part);
    let text = if buckets.is_some() {
        "SELECT person_id, entered_seq FROM cohort_members
         WHERE epoch = $1 AND cohort = $2 AND left_seq IS NULL AND bucket = ANY($3)"
    } else {
        "SELECT person_id, entered_seq FROM cohort_members
         WHERE epoch = $1 AND cohort = $2 AND left_seq IS NULL"
    };
    let mut query = query_as::<(Uuid, i64)>(text)
        .bind(epoch)
        .bind(part.cohort.0);
    if let Some(buckets) = buckets {
        query = query.bind(buckets);
    }
    let rows = query.fetch_all(connection).await.map_err(sql)?;
    Ok(rows.into_iter().collect())
}

/// What is noted of the part's buckets so far.
async fn noted_digests(
    connection: &mut PgConnection,
    epoch: i64,
    part: &CohortPart,
) -> Result<BTreeMap<CohortBucket, CohortDigest>> {
    let rows: Vec<(i64, i64, i64)> = query_as(
        "SELECT bucket::bigint, members, hash FROM cohort_buckets
         WHERE epoch = $1 AND cohort = $2 AND ($3::smallint[] IS NULL OR bucket = ANY($3))",
    )
    .bind(epoch)
    .bind(part.cohort.0)
    .bind(buckets_of(part))
    .fetch_all(connection)
    .await
    .map_err(sql)?;
    rows.into_iter()
        .map(|(bucket, members, hash)| bucket_of_columns(bucket, members, hash))
        .collect()
}

/// The buckets that were read; absent when all were.
fn buckets_of(part: &CohortPart) -> Option<Vec<i16>> {
    let buckets = part.buckets.as_ref()?.iter();
    Some(buckets.copied().map(bucket_column).collect())
}

/// Who comes and goes, each with the next number of the epoch's changes.
async fn write_members(
    connection: &mut PgConnection,
    epoch: i64,
    cohort: CohortId,
    moves: &Moves,
    at: i64,
) -> Result<()> {
    if moves.of_nobody() {
        return Ok(());
    }
    let mut seq: i64 = query_scalar("SELECT latest FROM cohort_histories WHERE epoch = $1")
        .bind(epoch)
        .fetch_optional(&mut *connection)
        .await
        .map_err(sql)?
        .unwrap_or_default();
    let mut number = |count: usize| -> Vec<i64> {
        let first = seq + 1;
        seq += limit(count);
        (first..=seq).collect()
    };
    if !moves.left.is_empty() {
        // A clock that was set back must not let anybody leave before having come.
        query(
            "UPDATE cohort_members AS m SET left_seq = e.seq, left_at = greatest(m.entered_at, $4)
             FROM unnest($2::bigint[], $3::bigint[]) AS e (row, seq)
             WHERE m.epoch = $1 AND m.entered_seq = e.row",
        )
        .bind(epoch)
        .bind(&moves.left)
        .bind(number(moves.left.len()))
        .bind(at)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    }
    if !moves.entered.is_empty() {
        let buckets: Vec<i16> = moves.entered.iter().map(|it| bucket_column(it.0)).collect();
        let persons: Vec<Uuid> = moves.entered.iter().map(|it| it.1).collect();
        query(
            "INSERT INTO cohort_members
                (epoch, entered_seq, cohort, bucket, person_id, entered_at)
             SELECT $1, e.seq, $2, e.bucket, e.person_id, $6
             FROM unnest($3::bigint[], $4::smallint[], $5::uuid[]) AS e (seq, bucket, person_id)",
        )
        .bind(epoch)
        .bind(cohort.0)
        .bind(number(moves.entered.len()))
        .bind(buckets)
        .bind(persons)
        .bind(at)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    }
    query(
        "INSERT INTO cohort_histories (epoch, latest) VALUES ($1, $2)
         ON CONFLICT (epoch) DO UPDATE SET latest = excluded.latest",
    )
    .bind(epoch)
    .bind(seq)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    query("UPDATE cohorts SET members = members + $3 - $4 WHERE epoch = $1 AND cohort = $2")
        .bind(epoch)
        .bind(cohort.0)
        .bind(limit(moves.entered.len()))
        .bind(limit(moves.left.len()))
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}

/// The digests of the buckets that changed.
async fn write_buckets(
    connection: &mut PgConnection,
    epoch: i64,
    cohort: CohortId,
    moves: &Moves,
) -> Result<()> {
    let changed: Vec<i16> = moves.buckets.keys().copied().map(bucket_column).collect();
    query("DELETE FROM cohort_buckets WHERE epoch = $1 AND cohort = $2 AND bucket = ANY($3)")
        .bind(epoch)
        .bind(cohort.0)
        .bind(changed)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    let (mut buckets, mut members, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for (bucket, digest) in &moves.buckets {
        if let Some(digest) = digest {
            buckets.push(bucket_column(*bucket));
            members.push(signed(digest.members));
            hashes.push(digest.hash.cast_signed());
        }
    }
    query(
        "INSERT INTO cohort_buckets (epoch, cohort, bucket, members, hash)
         SELECT $1, $2, b.bucket, b.members, b.hash
         FROM unnest($3::smallint[], $4::bigint[], $5::bigint[]) AS b (bucket, members, hash)",
    )
    .bind(epoch)
    .bind(cohort.0)
    .bind(buckets)
    .bind(members)
    .bind(hashes)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}
