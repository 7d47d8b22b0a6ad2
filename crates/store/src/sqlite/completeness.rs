//! Verdicts of recounts, one a UTC day.

use async_trait::async_trait;
use domain::ConnectionId;
use domain::storage::{CompletenessStore, DayVerdict, Lease, Result};
use jiff::civil::Date;
use sqlx::FromRow;
use sqlx::sqlite::SqliteRow;

use super::errors::sql;
use super::values::{day_number, micros, signed};
use super::{SqliteStore, leases};
use crate::connection_rows::VerdictRow;

#[async_trait]
impl CompletenessStore for SqliteStore {
    async fn put_verdicts(&self, lease: &Lease, verdicts: &[DayVerdict]) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        for verdict in verdicts {
            let word: &'static str = verdict.verdict.into();
            sqlx::query(
                "INSERT OR REPLACE INTO day_verdicts
                    (epoch, day, remote, local, erased, verdict, repulls, counted_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(epoch)
            .bind(day_number(verdict.day))
            .bind(signed(verdict.remote))
            .bind(signed(verdict.local))
            .bind(signed(verdict.erased))
            .bind(word)
            .bind(verdict.repulls)
            .bind(micros(verdict.counted_at))
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        tx.commit().await.map_err(sql)
    }

    async fn verdicts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<DayVerdict>> {
        sqlx::query(
            "SELECT * FROM day_verdicts
             WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND day >= ? AND day < ?
             ORDER BY day",
        )
        .bind(connection.0)
        .bind(day_number(from))
        .bind(day_number(to))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?
        .iter()
        .map(decode)
        .collect()
    }
}

fn decode(row: &SqliteRow) -> Result<DayVerdict> {
    VerdictRow::from_row(row).map_err(sql)?.verdict()
}
