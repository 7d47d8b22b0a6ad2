//! Reading cohorts, their members and who came and went.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::ConnectionId;
use domain::cohorts::{CohortBucket, CohortDigest, CohortId};
use domain::storage::{
    CohortChange, CohortHistory, CohortMember, CohortReader, CohortRecord, Membership, Result,
};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::PostgresStore;
use super::errors::sql;
use super::statement::query;
use super::values::{get, instant, limit as rows};
use crate::cohort_rows::{ChangeRow, CohortRow, bucket_column, bucket_of_columns, changes_sql};

const EPOCH: &str = "(SELECT number FROM epochs WHERE id = $1)";

#[async_trait]
impl CohortReader for PostgresStore {
    async fn cohorts(
        &self,
        connection: ConnectionId,
        with_deleted: bool,
        after: Option<CohortId>,
        limit: usize,
    ) -> Result<Vec<CohortRecord>> {
        self.fetch_each(
            query(AssertSqlSafe(format!(
                "SELECT * FROM cohorts
                 WHERE epoch = {EPOCH} AND cohort > $2 AND ($3 OR deleted_at IS NULL)
                 ORDER BY cohort LIMIT $4"
            )))
            .bind(connection.0)
            .bind(after.map_or(i64::MIN, |after| after.0))
            .bind(with_deleted)
            .bind(rows(limit)),
            record,
        )
        .await
    }

    async fn cohort(&self, connection: ConnectionId, id: CohortId) -> Result<Option<CohortRecord>> {
        let found = self
            .fetch_each(
                query(AssertSqlSafe(format!(
                    "SELECT * FROM cohorts WHERE epoch = {EPOCH} AND cohort = $2"
                )))
                .bind(connection.0)
                .bind(id.0),
                record,
            )
            .await?;
        Ok(found.into_iter().next())
    }

    async fn bucket_digests(
        &self,
        connection: ConnectionId,
        cohort: CohortId,
    ) -> Result<BTreeMap<CohortBucket, CohortDigest>> {
        let found = self
            .fetch_each(
                query(AssertSqlSafe(format!(
                    "SELECT bucket::bigint AS bucket, members, hash FROM cohort_buckets
                     WHERE epoch = {EPOCH} AND cohort = $2"
                )))
                .bind(connection.0)
                .bind(cohort.0),
                |row| {
                    bucket_of_columns(get(row, "bucket")?, get(row, "members")?, get(row, "hash")?)
                },
            )
            .await?;
        Ok(found.into_iter().collect())
    }

    async fn cohort_members(
        &self,
        connection: ConnectionId,
        cohort: CohortId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<CohortMember>> {
        let place = if after.is_some() {
            " AND (bucket, person_id) > ($4, $5)"
        } else {
            ""
        };
        let text = format!(
            "SELECT person_id, entered_at FROM cohort_members
             WHERE epoch = {EPOCH} AND cohort = $2 AND left_seq IS NULL{place}
             ORDER BY bucket, person_id LIMIT $3"
        );
        let mut query = query(AssertSqlSafe(text))
            .bind(connection.0)
            .bind(cohort.0)
            .bind(rows(limit));
        if let Some(after) = after {
            query = query
                .bind(bucket_column(CohortBucket::of(after)))
                .bind(after);
        }
        self.fetch_each(query, |row| {
            Ok(CohortMember {
                person_id: get(row, "person_id")?,
                entered_at: instant(get(row, "entered_at")?)?,
            })
        })
        .await
    }

    async fn memberships(
        &self,
        connection: ConnectionId,
        cohorts: &[CohortId],
        persons: &[Uuid],
    ) -> Result<Vec<Membership>> {
        let cohorts: Vec<i64> = cohorts.iter().map(|cohort| cohort.0).collect();
        let buckets: Vec<i16> = persons
            .iter()
            .map(|person| bucket_column(CohortBucket::of(*person)))
            .collect();
        let mut found = self
            .fetch_each(
                query(AssertSqlSafe(format!(
                    "SELECT DISTINCT m.cohort, m.person_id, m.entered_at
                     FROM unnest($2::bigint[]) AS c (cohort)
                     CROSS JOIN unnest($3::smallint[], $4::uuid[]) AS p (bucket, person_id)
                     JOIN cohort_members AS m ON m.epoch = {EPOCH} AND m.cohort = c.cohort
                        AND m.bucket = p.bucket AND m.person_id = p.person_id
                        AND m.left_seq IS NULL"
                )))
                .bind(connection.0)
                .bind(cohorts)
                .bind(buckets)
                .bind(persons),
                |row| {
                    Ok(Membership {
                        cohort: CohortId(get(row, "cohort")?),
                        person_id: get(row, "person_id")?,
                        entered_at: instant(get(row, "entered_at")?)?,
                    })
                },
            )
            .await?;
        found.sort_unstable();
        Ok(found)
    }

    async fn cohort_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<CohortChange>> {
        self.fetch_each(
            query(AssertSqlSafe(changes_sql(EPOCH, "$2", "$3")))
                .bind(connection.0)
                .bind(seq)
                .bind(rows(limit)),
            |row| ChangeRow::from_row(row).map_err(sql)?.change(),
        )
        .await
    }

    async fn cohort_history(&self, connection: ConnectionId) -> Result<CohortHistory> {
        let found = self
            .fetch_each(
                query(AssertSqlSafe(format!(
                    "SELECT latest, forgotten FROM cohort_histories WHERE epoch = {EPOCH}"
                )))
                .bind(connection.0),
                |row| {
                    Ok(CohortHistory {
                        latest: get(row, "latest")?,
                        forgotten: get(row, "forgotten")?,
                    })
                },
            )
            .await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }
}

fn record(row: &PgRow) -> Result<CohortRecord> {
    CohortRow::from_row(row).map_err(sql)?.record()
}
