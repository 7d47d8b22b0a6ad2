//! Leases: one holder of a connection at a time, told apart by a fence that only grows.
//!
//! The clock is this process's: every process on a SQLite file runs on the same host.

use std::time::Duration;

use domain::ConnectionId;
use domain::storage::{Lease, Result, StoreError};
use jiff::{SignedDuration, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::errors::sql;
use super::values::{instant, micros};
use super::{SqliteStore, epochs};

/// How long a lease lasts after a write that checked it (DESIGN.md "Timetable").
const RENEWAL: Duration = Duration::from_secs(60);

fn after(ttl: Duration) -> i64 {
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    micros(
        Timestamp::now()
            .saturating_add(ttl)
            .unwrap_or(Timestamp::MAX),
    )
}

impl SqliteStore {
    pub(super) async fn take_lease(
        &self,
        connection: ConnectionId,
        holder: &str,
        ttl: Duration,
    ) -> Result<Lease> {
        let mut tx = self.write().await?;
        let epoch = epochs::number(&mut tx, connection).await?;
        let held_until: Option<i64> =
            sqlx::query_scalar("SELECT expires_at FROM leases WHERE epoch = ?")
                .bind(epoch)
                .fetch_optional(&mut *tx)
                .await
                .map_err(sql)?;
        if let Some(until) = held_until
            && until > micros(Timestamp::now())
        {
            return Err(StoreError::LeaseHeld {
                until: instant(until)?,
            });
        }
        let fence: i64 =
            sqlx::query_scalar("UPDATE last_fence SET fence = fence + 1 RETURNING fence")
                .fetch_one(&mut *tx)
                .await
                .map_err(sql)?;
        sqlx::query(
            "INSERT INTO leases (epoch, fence, holder, expires_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (epoch) DO UPDATE SET fence = ?2, holder = ?3, expires_at = ?4",
        )
        .bind(epoch)
        .bind(fence)
        .bind(holder)
        .bind(after(ttl))
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)?;
        Ok(Lease { connection, fence })
    }

    pub(super) async fn extend_lease(&self, lease: &Lease, ttl: Duration) -> Result<()> {
        let mut tx = self.write().await?;
        let extended = sqlx::query(
            "UPDATE leases SET expires_at = ?3
             WHERE epoch = (SELECT number FROM epochs WHERE id = ?1) AND fence = ?2",
        )
        .bind(lease.connection.0)
        .bind(lease.fence)
        .bind(after(ttl))
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        if extended.rows_affected() == 0 {
            return Err(StoreError::FenceLost);
        }
        tx.commit().await.map_err(sql)
    }

    pub(super) async fn drop_lease(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "DELETE FROM leases
             WHERE epoch = (SELECT number FROM epochs WHERE id = ?1) AND fence = ?2",
        )
        .bind(lease.connection.0)
        .bind(lease.fence)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)
    }

    pub(super) async fn bury(&self, holder: &str) -> Result<u64> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM budget_slots")
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        let dropped = sqlx::query("DELETE FROM leases WHERE holder = ?")
            .bind(holder)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await.map_err(sql)?;
        Ok(dropped.rows_affected())
    }
}

/// Checks within a transaction that writes that the lease is still its holder's, and renews it.
/// A lease that has expired still holds while nobody else has taken it. Returns the epoch's number.
pub(super) async fn hold(connection: &mut SqliteConnection, lease: &Lease) -> Result<i64> {
    let held = sqlx::query(
        "UPDATE leases SET expires_at = max(expires_at, ?3)
         WHERE epoch = (SELECT number FROM epochs WHERE id = ?1) AND fence = ?2
         RETURNING epoch",
    )
    .bind(lease.connection.0)
    .bind(lease.fence)
    .bind(after(RENEWAL))
    .fetch_optional(connection)
    .await
    .map_err(sql)?;
    match held {
        Some(row) => row.try_get(0).map_err(sql),
        None => Err(StoreError::FenceLost),
    }
}
