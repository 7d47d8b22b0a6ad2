//! Removing an epoch whole, after its connection's grace period.

use domain::ConnectionId;
use domain::storage::{Result, StoreError};
use sqlx::SqliteConnection;

use super::errors::sql;
use super::{SqliteStore, epochs};

/// Events removed in one transaction: others wait that long for the file.
const BATCH: i64 = 20_000;

impl SqliteStore {
    pub(super) async fn purge(&self, id: ConnectionId) -> Result<u64> {
        let mut tx = self.write().await?;
        let epoch = match epochs::number(&mut tx, id).await {
            Err(StoreError::NotFound { .. }) => return Ok(0),
            other => other?,
        };
        // Whoever is still writing stops at its next page.
        sqlx::query("DELETE FROM leases WHERE epoch = ?")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await.map_err(sql)?;

        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let events = sqlx::query(
                "DELETE FROM events WHERE rowid IN (
                    SELECT rowid FROM events WHERE epoch = ? LIMIT ?)",
            )
            .bind(epoch)
            .bind(BATCH)
            .execute(&mut *tx)
            .await
            .map_err(sql)?
            .rows_affected();
            if events == 0 {
                remove_rest(&mut tx, epoch).await?;
                tx.commit().await.map_err(sql)?;
                tracing::info!(connection = %id, events = removed, "purged a connection's rows");
                return Ok(removed);
            }
            tx.commit().await.map_err(sql)?;
            removed += events;
        }
    }
}

/// Everything but events, and with it the epoch; a deleted connection goes with its last epoch.
async fn remove_rest(connection: &mut SqliteConnection, epoch: i64) -> Result<()> {
    for remove in [
        "DELETE FROM event_deletions WHERE epoch = ?",
        "DELETE FROM daily_event_counts WHERE epoch = ?",
        "DELETE FROM daily_stage_counts WHERE epoch = ?",
        "DELETE FROM event_definitions WHERE epoch = ?",
        "DELETE FROM identity_facts WHERE epoch = ?",
        "DELETE FROM person_links WHERE epoch = ?",
        "DELETE FROM day_verdicts WHERE epoch = ?",
        "DELETE FROM leases WHERE epoch = ?",
        "DELETE FROM runs WHERE epoch = ?",
        "DELETE FROM epochs WHERE number = ?",
    ] {
        sqlx::query(remove)
            .bind(epoch)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    sqlx::query(
        "DELETE FROM connections WHERE deleted_at IS NOT NULL
            AND target NOT IN (SELECT id FROM epochs) AND serving NOT IN (SELECT id FROM epochs)",
    )
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}
