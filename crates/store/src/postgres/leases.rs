//! Leases: one holder of a connection at a time, told apart by a fence that only grows.
//!
//! The clock is the database's, the one that all holders share.

use std::time::Duration;

use domain::ConnectionId;
use domain::storage::{Lease, Result, StoreError};
use sqlx::{AssertSqlSafe, PgConnection};

use super::errors::sql;
use super::statement::{query, query_scalar};
use super::values::{instant, text};
use super::{PostgresStore, epochs};

/// How long a lease lasts after a write that checked it (DESIGN.md "Timetable").
const RENEWAL: Duration = Duration::from_secs(60);

/// The database's clock, in microseconds since 1970.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// The most that a lease lasts: a thousand years, so that no sum overflows.
const FOREVER: i64 = 1000 * 365 * 86_400 * 1_000_000;

fn length(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).map_or(FOREVER, |micros| micros.min(FOREVER))
}

impl PostgresStore {
    pub(super) async fn take_lease(
        &self,
        connection: ConnectionId,
        holder: &str,
        ttl: Duration,
    ) -> Result<Lease> {
        let mut tx = self.write().await?;
        let epoch = epochs::number(&mut tx, connection).await?;
        let taken: Option<i64> = query_scalar(AssertSqlSafe(format!(
            "INSERT INTO leases AS l (epoch, fence, holder, expires_at)
             VALUES ($1, nextval('fences'), $2, {NOW} + $3)
             ON CONFLICT (epoch) DO UPDATE SET fence = nextval('fences'),
                holder = excluded.holder, expires_at = {NOW} + $3
             WHERE l.expires_at <= {NOW}
             RETURNING fence"
        )))
        .bind(epoch)
        .bind(text(holder))
        .bind(length(ttl))
        .fetch_optional(&mut *tx)
        .await
        .map_err(sql)?;
        let Some(fence) = taken else {
            let until: i64 = query_scalar("SELECT expires_at FROM leases WHERE epoch = $1")
                .bind(epoch)
                .fetch_one(&mut *tx)
                .await
                .map_err(sql)?;
            tx.end().await?;
            return Err(StoreError::LeaseHeld {
                until: instant(until)?,
            });
        };
        tx.commit().await?;
        Ok(Lease { connection, fence })
    }

    pub(super) async fn extend_lease(&self, lease: &Lease, ttl: Duration) -> Result<()> {
        let mut tx = self.write().await?;
        let extended = query(AssertSqlSafe(format!(
            "UPDATE leases SET expires_at = {NOW} + $3
             WHERE epoch = (SELECT number FROM epochs WHERE id = $1) AND fence = $2"
        )))
        .bind(lease.connection.0)
        .bind(lease.fence)
        .bind(length(ttl))
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        if extended.rows_affected() == 0 {
            return Err(StoreError::FenceLost);
        }
        tx.commit().await
    }

    pub(super) async fn drop_lease(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.write().await?;
        query(
            "DELETE FROM leases
             WHERE epoch = (SELECT number FROM epochs WHERE id = $1) AND fence = $2",
        )
        .bind(lease.connection.0)
        .bind(lease.fence)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await
    }

    pub(super) async fn bury(&self, holder: &str) -> Result<u64> {
        let mut tx = self.write().await?;
        query("DELETE FROM budget_slots")
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        let dropped = query("DELETE FROM leases WHERE holder = $1")
            .bind(text(holder))
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await?;
        Ok(dropped.rows_affected())
    }
}

/// Locks the epoch's row until the transaction ends, checks that the lease is still its holder's,
/// and renews it. A lease that has expired still holds while nobody else has taken it. Returns
/// the epoch's number.
pub(super) async fn hold(connection: &mut PgConnection, lease: &Lease) -> Result<i64> {
    // Always the epoch's row before any other, so that no two writers wait for each other.
    let held: Option<i64> = query_scalar(AssertSqlSafe(format!(
        "WITH owner AS MATERIALIZED (
            SELECT number FROM epochs WHERE id = $1 FOR NO KEY UPDATE
         )
         UPDATE leases SET expires_at = greatest(expires_at, {NOW} + $3)
         FROM owner WHERE leases.epoch = owner.number AND leases.fence = $2
         RETURNING leases.epoch"
    )))
    .bind(lease.connection.0)
    .bind(lease.fence)
    .bind(length(RENEWAL))
    .fetch_optional(connection)
    .await
    .map_err(sql)?;
    held.ok_or(StoreError::FenceLost)
}
