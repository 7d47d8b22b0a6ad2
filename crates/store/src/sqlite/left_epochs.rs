//! Epochs that a connection has left for another host or project: condemned as a purge condemns those of a
//! deleted one, and removed like them.

use domain::storage::{Lease, Result};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::errors::sql;
use super::purge::condemn_epoch;
use super::values::micros;
use super::{SqliteStore, leases};

impl SqliteStore {
    pub(super) async fn remove_left(&self, lease: &Lease, before: Timestamp) -> Result<u64> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        for left in left(&mut tx, epoch, before).await? {
            condemn_epoch(&mut tx, left).await?;
        }
        let condemned: Vec<i64> = sqlx::query_scalar(
            "SELECT e.number FROM epochs AS own JOIN epochs AS e
                ON (e.namespace, e.name) = (own.namespace, own.name)
             WHERE own.number = ? AND e.condemned",
        )
        .bind(epoch)
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)?;
        let mut removed = 0;
        for epoch in condemned {
            self.remove_epoch(epoch).await?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// The epochs that the connection of this one neither asks for nor answers from, once the one that it answers
/// from was complete by `before`.
async fn left(
    connection: &mut SqliteConnection,
    epoch: i64,
    before: Timestamp,
) -> Result<Vec<i64>> {
    sqlx::query_scalar(
        "SELECT e.number FROM epochs AS own
            JOIN connections AS c ON (c.namespace, c.name) = (own.namespace, own.name)
            JOIN epochs AS serving ON serving.id = c.serving
            JOIN epochs AS e ON (e.namespace, e.name) = (own.namespace, own.name)
         WHERE own.number = ?1 AND serving.backfilled_at <= ?2
            AND e.id NOT IN (own.id, c.target, c.serving) AND NOT e.condemned",
    )
    .bind(epoch)
    .bind(micros(before))
    .fetch_all(connection)
    .await
    .map_err(sql)
}
