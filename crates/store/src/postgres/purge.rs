//! Removing an epoch whole, after its connection's grace period.

use domain::ConnectionId;
use domain::storage::{Result, StoreError};
use sqlx::PgConnection;

use super::errors::sql;
use super::statement::query;
use super::{PostgresStore, epochs};

/// Events removed in one transaction: short transactions leave room for others.
const BATCH: i64 = 20_000;

impl PostgresStore {
    pub(super) async fn purge(&self, id: ConnectionId) -> Result<u64> {
        let mut tx = self.write().await?;
        let epoch = match epochs::number(&mut tx, id).await {
            Err(StoreError::NotFound { .. }) => {
                tx.end().await?;
                return Ok(0);
            }
            other => other?,
        };
        // Whoever is still writing stops at its next page.
        query("DELETE FROM leases WHERE epoch = $1")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await?;

        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let events = query(
                "DELETE FROM events WHERE epoch = $1 AND uuid IN (
                    SELECT uuid FROM events WHERE epoch = $1 LIMIT $2)",
            )
            .bind(epoch)
            .bind(BATCH)
            .execute(&mut *tx)
            .await
            .map_err(sql)?
            .rows_affected();
            if events == 0 {
                // The epoch's row before all others, as whoever writes takes it.
                query("SELECT 1 FROM epochs WHERE number = $1 FOR UPDATE")
                    .bind(epoch)
                    .execute(&mut *tx)
                    .await
                    .map_err(sql)?;
                remove_rest(&mut tx, epoch).await?;
                tx.commit().await?;
                tracing::info!(connection = %id, events = removed, "purged a connection's rows");
                return Ok(removed);
            }
            tx.commit().await?;
            removed += events;
        }
    }
}

/// Everything but events, and with it the epoch; a deleted connection goes with its last epoch.
async fn remove_rest(connection: &mut PgConnection, epoch: i64) -> Result<()> {
    for remove in [
        "DELETE FROM event_deletions WHERE epoch = $1",
        "DELETE FROM daily_event_counts WHERE epoch = $1",
        "DELETE FROM daily_stage_counts WHERE epoch = $1",
        "DELETE FROM event_definitions WHERE epoch = $1",
        "DELETE FROM identity_facts WHERE epoch = $1",
        "DELETE FROM person_links WHERE epoch = $1",
        "DELETE FROM day_verdicts WHERE epoch = $1",
        "DELETE FROM leases WHERE epoch = $1",
        "DELETE FROM runs WHERE epoch = $1",
        "DELETE FROM epochs WHERE number = $1",
    ] {
        query(remove)
            .bind(epoch)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    query(
        "DELETE FROM connections WHERE deleted_at IS NOT NULL
            AND target NOT IN (SELECT id FROM epochs) AND serving NOT IN (SELECT id FROM epochs)",
    )
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}
