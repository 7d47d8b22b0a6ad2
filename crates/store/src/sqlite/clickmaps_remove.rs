//! Removing clickmaps that are not in force: first nobody reads them any more, then they go in batches.

use domain::storage::{Lease, Result};

use super::errors::sql;
use super::growing::{BATCH, remove_sql};
use super::values::limit;
use super::{SqliteStore, leases};
use crate::growing_tables::CLICKMAPS;

impl SqliteStore {
    /// Switches clickmaps off.
    pub(super) async fn remove_clickmaps(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        // The next number may be that of some whose making was interrupted. The one after has none, so
        // that nobody sees any while they go.
        sqlx::query(
            "UPDATE epochs SET clickmap = clickmap + 2, clickmap_rules = NULL,
                clickmap_time_zone = NULL
             WHERE number = ?1 AND clickmap_rules IS NOT NULL",
        )
        .bind(epoch)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        sqlx::query("DELETE FROM clickmap_days_due WHERE epoch = ?1")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        let kept: i64 = sqlx::query_scalar("SELECT clickmap FROM epochs WHERE number = ?1")
            .bind(epoch)
            .fetch_one(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await.map_err(sql)?;
        self.remove_others(lease, kept).await
    }

    /// Removes all clickmaps but those of number `kept`, in batches: nobody reads them, and who is
    /// interrupted leaves them to the next call.
    pub(super) async fn remove_others(&self, lease: &Lease, kept: i64) -> Result<()> {
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let mut removed = 0;
            for table in CLICKMAPS {
                // Two ranges of an index, of which mostly both are empty.
                for others in ["AND clickmap < ?3", "AND clickmap > ?3"] {
                    removed += sqlx::query(remove_sql(table, others))
                        .bind(epoch)
                        .bind(limit(BATCH))
                        .bind(kept)
                        .execute(&mut *tx)
                        .await
                        .map_err(sql)?
                        .rows_affected();
                }
            }
            tx.commit().await.map_err(sql)?;
            if removed == 0 {
                return Ok(());
            }
        }
    }
}
