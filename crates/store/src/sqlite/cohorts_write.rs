//! Cohorts as PostHog lists them, and the members of their parts with the history of who came and
//! went.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::cohorts::{Cohort, CohortBucket, CohortDigest, CohortId};
use domain::storage::{
    CohortPart, CohortRead, CohortRecord, CohortWriter, Lease, MembersMoved, Result,
};
use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::errors::{not_found, sql};
use super::rows::{Parameters, WriteRows, batches, list_sql, values_sql};
use super::values::{get, limit, micros, signed, to_json};
use super::{SqliteStore, leases, refusals};
use crate::cohort_rows::{
    CohortRow, Moves, bucket_column, bucket_of_columns, list_difference, moves, newcomers,
};

/// Members removed in one transaction: others wait that long for the file.
const BATCH: usize = 20_000;
/// Rows of one statement.
const ROWS: usize = 512;

#[async_trait]
impl CohortWriter for SqliteStore {
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
            return Ok(stored);
        }
        for cohort in difference.put {
            sqlx::query(
                "INSERT INTO cohorts (epoch, cohort, listed) VALUES (?, ?, ?)
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
        for cohort in difference.gone {
            // What comes back is read again, whatever it was when it went.
            sqlx::query(
                "UPDATE cohorts SET deleted_at = ?, read_at = NULL, read_mark = NULL
                 WHERE epoch = ? AND cohort = ?",
            )
            .bind(micros(observed_at))
            .bind(epoch)
            .bind(cohort.0)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        let stored = all(&mut tx, epoch).await?;
        tx.commit().await.map_err(sql)?;
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
            sqlx::query_scalar("SELECT members FROM cohorts WHERE epoch = ? AND cohort = ?")
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
            return Ok(MembersMoved::default());
        }
        write_members(&mut tx, epoch, part.cohort, &moves, micros(observed_at)).await?;
        write_buckets(&mut tx, epoch, part.cohort, &moves).await?;
        tx.commit().await.map_err(sql)?;
        Ok(MembersMoved {
            entered: moves.entered.len() as u64,
            left: moves.left.len() as u64,
        })
    }

    async fn cohorts_read(&self, lease: &Lease, read: &[(CohortId, CohortRead)]) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        for (cohort, read) in read {
            sqlx::query(
                "UPDATE cohorts SET read_at = ?, read_mark = ? WHERE epoch = ? AND cohort = ?",
            )
            .bind(micros(read.at))
            .bind(to_json(&read.mark)?)
            .bind(epoch)
            .bind(cohort.0)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        tx.commit().await.map_err(sql)
    }

    async fn expire_cohort_changes(&self, lease: &Lease, before: Timestamp) -> Result<u64> {
        let mut expired = 0;
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            // Numbers are given in the order of time, so that what is past lies in front.
            let gone: Vec<i64> = sqlx::query_scalar(
                "DELETE FROM cohort_members WHERE epoch = ?1 AND entered_seq IN (
                    SELECT entered_seq FROM (
                        SELECT entered_seq, left_at FROM cohort_members
                        WHERE epoch = ?1 AND left_seq IS NOT NULL ORDER BY left_seq LIMIT ?3)
                    WHERE left_at < ?2)
                 RETURNING left_seq",
            )
            .bind(epoch)
            .bind(micros(before))
            .bind(limit(BATCH))
            .fetch_all(&mut *tx)
            .await
            .map_err(sql)?;
            expired += gone.len() as u64;
            if let Some(latest) = gone.iter().max() {
                sqlx::query(
                    "UPDATE cohort_histories SET forgotten = max(forgotten, ?) WHERE epoch = ?",
                )
                .bind(latest)
                .bind(epoch)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
            }
            if gone.len() < BATCH {
                // Of a cohort in which PostHog had none but erased persons, digests are left.
                for text in [
                    "DELETE FROM cohort_buckets WHERE epoch = ?1 AND cohort IN (
                        SELECT cohort FROM cohorts
                        WHERE epoch = ?1 AND deleted_at < ?2 AND members = 0)",
                    "DELETE FROM cohorts WHERE epoch = ?1 AND deleted_at < ?2 AND members = 0",
                ] {
                    sqlx::query(text)
                        .bind(epoch)
                        .bind(micros(before))
                        .execute(&mut *tx)
                        .await
                        .map_err(sql)?;
                }
                tx.commit().await.map_err(sql)?;
                return Ok(expired);
            }
            tx.commit().await.map_err(sql)?;
        }
    }
}

async fn all(connection: &mut SqliteConnection, epoch: i64) -> Result<Vec<CohortRecord>> {
    let rows: Vec<CohortRow> =
        sqlx::query_as("SELECT * FROM cohorts WHERE epoch = ? ORDER BY cohort")
            .bind(epoch)
            .fetch_all(connection)
            .await
            .map_err(sql)?;
    rows.into_iter().map(CohortRow::record).collect()
}

/// The members that the part's buckets have so far, each with the number of its row.
async fn stored_members(
    connection: &mut SqliteConnection,
    epoch: i64,
    part: &CohortPart,
) -> Result<BTreeMap<Uuid, i64>> {
    let members = "SELECT person_id, entered_seq FROM cohort_members
         WHERE epoch = ? AND cohort = ? AND left_seq IS NULL";
    rows_of_part(connection, epoch, part, members)
        .await?
        .iter()
        .map(|row| Ok((get(row, "person_id")?, get(row, "entered_seq")?)))
        .collect()
}

/// What is noted of the part's buckets so far.
async fn noted_digests(
    connection: &mut SqliteConnection,
    epoch: i64,
    part: &CohortPart,
) -> Result<BTreeMap<CohortBucket, CohortDigest>> {
    let digests = "SELECT bucket, members, hash FROM cohort_buckets WHERE epoch = ? AND cohort = ?";
    rows_of_part(connection, epoch, part, digests)
        .await?
        .iter()
        .map(|row| bucket_of_columns(get(row, "bucket")?, get(row, "members")?, get(row, "hash")?))
        .collect()
}

/// The rows that `select` gives of an epoch and a cohort, of the part's buckets.
async fn rows_of_part(
    connection: &mut SqliteConnection,
    epoch: i64,
    part: &CohortPart,
    select: &'static str,
) -> Result<Vec<SqliteRow>> {
    let Some(buckets) = &part.buckets else {
        return sqlx::query(select)
            .bind(epoch)
            .bind(part.cohort.0)
            .fetch_all(connection)
            .await
            .map_err(sql);
    };
    let buckets: Vec<CohortBucket> = buckets.iter().copied().collect();
    let mut found = Vec::new();
    for batch in batches(&buckets, ROWS) {
        let mut parameters = Parameters::with_capacity(2 + batch.len());
        parameters.add(epoch)?;
        parameters.add(part.cohort.0)?;
        for bucket in batch {
            parameters.add(bucket_column(*bucket))?;
        }
        let text = list_sql(&format!("{select} AND bucket IN"), batch.len(), "");
        let rows = sqlx::query_with(text, parameters.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
        found.extend(rows);
    }
    Ok(found)
}

/// Who comes and goes, each with the next number of the epoch's changes.
async fn write_members(
    connection: &mut SqliteConnection,
    epoch: i64,
    cohort: CohortId,
    moves: &Moves,
    at: i64,
) -> Result<()> {
    if moves.of_nobody() {
        return Ok(());
    }
    let mut seq: i64 = sqlx::query_scalar("SELECT latest FROM cohort_histories WHERE epoch = ?")
        .bind(epoch)
        .fetch_optional(&mut *connection)
        .await
        .map_err(sql)?
        .unwrap_or_default();
    for batch in batches(&moves.left, ROWS) {
        let mut parameters = Parameters::with_capacity(2 * batch.len() + 2);
        for row in batch {
            seq += 1;
            parameters.add(*row)?;
            parameters.add(seq)?;
        }
        parameters.add(at)?;
        parameters.add(epoch)?;
        // A clock that was set back must not let anybody leave before having come.
        let text = values_sql(
            "WITH gone (row, seq) AS (VALUES",
            2,
            batch.len(),
            ") UPDATE cohort_members SET left_seq = gone.seq, left_at = max(entered_at, ?)
             FROM gone WHERE epoch = ? AND entered_seq = gone.row",
        );
        sqlx::query_with(text, parameters.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    let write = WriteRows {
        before: "INSERT INTO cohort_members
                (epoch, entered_seq, cohort, bucket, person_id, entered_at) VALUES",
        columns: 6,
        after: "",
        most: ROWS,
    };
    write
        .run(connection, &moves.entered, |to, (bucket, person)| {
            seq += 1;
            to.add(epoch)?;
            to.add(seq)?;
            to.add(cohort.0)?;
            to.add(bucket_column(*bucket))?;
            to.add(*person)?;
            to.add(at)
        })
        .await?;
    sqlx::query(
        "INSERT INTO cohort_histories (epoch, latest) VALUES (?, ?)
         ON CONFLICT (epoch) DO UPDATE SET latest = excluded.latest",
    )
    .bind(epoch)
    .bind(seq)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    sqlx::query("UPDATE cohorts SET members = members + ? - ? WHERE epoch = ? AND cohort = ?")
        .bind(limit(moves.entered.len()))
        .bind(limit(moves.left.len()))
        .bind(epoch)
        .bind(cohort.0)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}

/// The digests of the buckets that changed.
async fn write_buckets(
    connection: &mut SqliteConnection,
    epoch: i64,
    cohort: CohortId,
    moves: &Moves,
) -> Result<()> {
    let changed: Vec<(CohortBucket, Option<CohortDigest>)> = moves
        .buckets
        .iter()
        .map(|(at, digest)| (*at, *digest))
        .collect();
    for batch in batches(&changed, ROWS) {
        let mut parameters = Parameters::with_capacity(2 + batch.len());
        parameters.add(epoch)?;
        parameters.add(cohort.0)?;
        for (bucket, _) in batch {
            parameters.add(bucket_column(*bucket))?;
        }
        let text = list_sql(
            "DELETE FROM cohort_buckets WHERE epoch = ? AND cohort = ? AND bucket IN",
            batch.len(),
            "",
        );
        sqlx::query_with(text, parameters.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    let kept: Vec<(CohortBucket, CohortDigest)> = changed
        .into_iter()
        .filter_map(|(bucket, digest)| Some((bucket, digest?)))
        .collect();
    let write = WriteRows {
        before: "INSERT INTO cohort_buckets (epoch, cohort, bucket, members, hash) VALUES",
        columns: 5,
        after: "",
        most: ROWS,
    };
    write
        .run(connection, &kept, |to, (bucket, digest)| {
            to.add(epoch)?;
            to.add(cohort.0)?;
            to.add(bucket_column(*bucket))?;
            to.add(signed(digest.members))?;
            to.add(digest.hash.cast_signed())
        })
        .await?;
    Ok(())
}
