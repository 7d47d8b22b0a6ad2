//! Verdicts of recounts, one a UTC day.

use async_trait::async_trait;
use domain::ConnectionId;
use domain::storage::{CompletenessStore, DayVerdict, Lease, Result};
use jiff::civil::Date;
use sqlx::FromRow;
use sqlx::postgres::PgRow;

use super::errors::sql;
use super::statement::query;
use super::values::{day_number, micros, signed};
use super::{PostgresStore, leases};
use crate::connection_rows::VerdictRow;

#[async_trait]
impl CompletenessStore for PostgresStore {
    async fn put_verdicts(&self, lease: &Lease, verdicts: &[DayVerdict]) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        for verdict in verdicts {
            let word: &'static str = verdict.verdict.into();
            query(
                "INSERT INTO day_verdicts
                    (epoch, day, remote, local, erased, verdict, repulls, counted_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (epoch, day) DO UPDATE SET
                    remote = excluded.remote, local = excluded.local,
                    erased = excluded.erased, verdict = excluded.verdict,
                    repulls = excluded.repulls, counted_at = excluded.counted_at",
            )
            .bind(epoch)
            .bind(day_number(verdict.day))
            .bind(signed(verdict.remote))
            .bind(signed(verdict.local))
            .bind(signed(verdict.erased))
            .bind(word)
            .bind(i64::from(verdict.repulls))
            .bind(micros(verdict.counted_at))
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        tx.commit().await
    }

    async fn verdicts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<DayVerdict>> {
        let query = query(
            "SELECT * FROM day_verdicts
             WHERE epoch = (SELECT number FROM epochs WHERE id = $1) AND day >= $2 AND day < $3
             ORDER BY day",
        )
        .bind(connection.0)
        .bind(day_number(from))
        .bind(day_number(to));
        self.fetch(query).await?.iter().map(decode).collect()
    }
}

fn decode(row: &PgRow) -> Result<DayVerdict> {
    VerdictRow::from_row(row).map_err(sql)?.verdict()
}
