//! Reading cohorts, their members and who came and went.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::ConnectionId;
use domain::cohorts::{CohortBucket, CohortDigest, CohortId};
use domain::storage::{
    CohortChange, CohortHistory, CohortMember, CohortReader, CohortRecord, Membership, Result,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::SqliteStore;
use super::errors::sql;
use super::rows::{Parameters, batches, values_sql};
use super::values::{get, instant, limit as rows};
use crate::cohort_rows::{ChangeRow, CohortRow, bucket_column, bucket_of_columns, changes_sql};

/// Persons of one statement.
const ROWS: usize = 512;

const EPOCH: &str = "(SELECT number FROM epochs WHERE id = ?1)";

#[async_trait]
impl CohortReader for SqliteStore {
    async fn cohorts(
        &self,
        connection: ConnectionId,
        with_deleted: bool,
        after: Option<CohortId>,
        limit: usize,
    ) -> Result<Vec<CohortRecord>> {
        let found: Vec<CohortRow> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT * FROM cohorts
             WHERE epoch = {EPOCH} AND cohort > ?2 AND (?3 OR deleted_at IS NULL)
             ORDER BY cohort LIMIT ?4"
        )))
        .bind(connection.0)
        .bind(after.map_or(i64::MIN, |after| after.0))
        .bind(with_deleted)
        .bind(rows(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?;
        found.into_iter().map(CohortRow::record).collect()
    }

    async fn cohort(&self, connection: ConnectionId, id: CohortId) -> Result<Option<CohortRecord>> {
        let found: Option<CohortRow> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT * FROM cohorts WHERE epoch = {EPOCH} AND cohort = ?2"
        )))
        .bind(connection.0)
        .bind(id.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(sql)?;
        found.map(CohortRow::record).transpose()
    }

    async fn bucket_digests(
        &self,
        connection: ConnectionId,
        cohort: CohortId,
    ) -> Result<BTreeMap<CohortBucket, CohortDigest>> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT bucket, members, hash FROM cohort_buckets WHERE epoch = {EPOCH} AND cohort = ?2"
        )))
        .bind(connection.0)
        .bind(cohort.0)
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?
        .iter()
        .map(|row| bucket_of_columns(get(row, "bucket")?, get(row, "members")?, get(row, "hash")?))
        .collect()
    }

    async fn cohort_members(
        &self,
        connection: ConnectionId,
        cohort: CohortId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<CohortMember>> {
        let place = if after.is_some() {
            " AND (bucket, person_id) > (?4, ?5)"
        } else {
            ""
        };
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "SELECT person_id, entered_at FROM cohort_members
             WHERE epoch = {EPOCH} AND cohort = ?2 AND left_seq IS NULL{place}
             ORDER BY bucket, person_id LIMIT ?3"
        )))
        .bind(connection.0)
        .bind(cohort.0)
        .bind(rows(limit));
        if let Some(after) = after {
            query = query
                .bind(bucket_column(CohortBucket::of(after)))
                .bind(after);
        }
        query
            .fetch_all(&self.readers)
            .await
            .map_err(sql)?
            .iter()
            .map(|row| {
                Ok(CohortMember {
                    person_id: get(row, "person_id")?,
                    entered_at: instant(get(row, "entered_at")?)?,
                })
            })
            .collect()
    }

    async fn memberships(
        &self,
        connection: ConnectionId,
        cohorts: &[CohortId],
        persons: &[Uuid],
    ) -> Result<Vec<Membership>> {
        let mut tx = self.read().await?;
        let mut found = BTreeSet::new();
        for cohort in cohorts {
            for batch in batches(persons, ROWS) {
                let mut parameters = Parameters::with_capacity(2 * batch.len() + 2);
                for person in batch {
                    parameters.add(bucket_column(CohortBucket::of(*person)))?;
                    parameters.add(*person)?;
                }
                parameters.add(connection.0)?;
                parameters.add(cohort.0)?;
                // In that order: the few persons, and each one looked up among the many.
                let text = values_sql(
                    "WITH asked (bucket, person_id) AS (VALUES",
                    2,
                    batch.len(),
                    ") SELECT m.person_id, m.entered_at
                     FROM asked AS a CROSS JOIN cohort_members AS m
                     WHERE m.epoch = (SELECT number FROM epochs WHERE id = ?) AND m.cohort = ?
                        AND m.bucket = a.bucket AND m.person_id = a.person_id
                        AND m.left_seq IS NULL",
                );
                let rows = sqlx::query_with(text, parameters.into_arguments())
                    .fetch_all(&mut *tx)
                    .await
                    .map_err(sql)?;
                for row in &rows {
                    found.insert(Membership {
                        cohort: *cohort,
                        person_id: get(row, "person_id")?,
                        entered_at: instant(get(row, "entered_at")?)?,
                    });
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    async fn cohort_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<CohortChange>> {
        let found: Vec<ChangeRow> = sqlx::query_as(AssertSqlSafe(changes_sql(EPOCH, "?2", "?3")))
            .bind(connection.0)
            .bind(seq)
            .bind(rows(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(sql)?;
        found.into_iter().map(ChangeRow::change).collect()
    }

    async fn cohort_history(&self, connection: ConnectionId) -> Result<CohortHistory> {
        let found: Option<(i64, i64)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT latest, forgotten FROM cohort_histories WHERE epoch = {EPOCH}"
        )))
        .bind(connection.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(sql)?;
        Ok(
            found.map_or_else(CohortHistory::default, |(latest, forgotten)| {
                CohortHistory { latest, forgotten }
            }),
        )
    }
}
