//! Removing a connection whole, after its grace period. First its epochs lose their ids, in the one
//! transaction that finds it due: from then on nobody finds or adopts them, and what is removed in
//! batches afterwards can be half gone without harm.

use domain::ConnectionName;
use domain::storage::{Purge, Result};
use jiff::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::SqliteStore;
use super::errors::sql;
use super::growing::{BATCH, remove_sql};
use super::values::{get, instant_or_none, limit, micros};
use crate::growing_tables::{CLICKMAPS, EVENTS, Growing, OTHERS};

impl SqliteStore {
    pub(super) async fn list_purges(
        &self,
        now: Timestamp,
        after: Option<&ConnectionName>,
        most: usize,
    ) -> Result<Vec<ConnectionName>> {
        let (namespace, name) = after.map_or(("", ""), |name| (&name.namespace, &name.name));
        sqlx::query(
            "SELECT namespace, name FROM (
                SELECT namespace, name FROM connections WHERE purge_at <= ?1
                UNION SELECT namespace, name FROM epochs WHERE condemned)
             WHERE (namespace, name) > (?2, ?3) ORDER BY namespace, name LIMIT ?4",
        )
        .bind(micros(now))
        .bind(namespace)
        .bind(name)
        .bind(limit(most))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?
        .iter()
        .map(|row| {
            Ok(ConnectionName::new(
                get::<&str>(row, "namespace")?,
                get::<&str>(row, "name")?,
            ))
        })
        .collect()
    }

    pub(super) async fn purge(&self, name: &ConnectionName, now: Timestamp) -> Result<Purge> {
        let standing = self.condemn(name, now).await?;
        let condemned: Vec<i64> = sqlx::query_scalar(
            "SELECT number FROM epochs WHERE namespace = ? AND name = ? AND condemned",
        )
        .bind(&name.namespace)
        .bind(&name.name)
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?;
        if condemned.is_empty() {
            return Ok(standing);
        }
        let mut events = 0;
        for epoch in condemned {
            events += self.remove_epoch(epoch).await?;
        }
        tracing::info!(connection = %name, events, "Removed what was left of a connection.");
        Ok(Purge::Done { events })
    }

    /// Takes the epochs of a connection that is due away from it, and its record with them. Whoever
    /// is still writing stops at its next page.
    async fn condemn(&self, name: &ConnectionName, now: Timestamp) -> Result<Purge> {
        let mut tx = self.write().await?;
        let found = sqlx::query(
            "SELECT deleted_at, purge_at FROM connections WHERE namespace = ? AND name = ?",
        )
        .bind(&name.namespace)
        .bind(&name.name)
        .fetch_optional(&mut *tx)
        .await
        .map_err(sql)?;
        let Some(found) = found else {
            return Ok(Purge::Done { events: 0 });
        };
        if get::<Option<i64>>(&found, "deleted_at")?.is_none() {
            return Ok(Purge::Alive);
        }
        let due = instant_or_none(get(&found, "purge_at")?)?;
        if due.is_none_or(|due| due > now) {
            return Ok(Purge::Kept { until: due });
        }
        let epochs: Vec<i64> = sqlx::query_scalar(
            "SELECT number FROM epochs WHERE namespace = ? AND name = ? AND NOT condemned",
        )
        .bind(&name.namespace)
        .bind(&name.name)
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
        for epoch in epochs {
            condemn_epoch(&mut tx, epoch).await?;
        }
        sqlx::query("DELETE FROM connections WHERE namespace = ? AND name = ?")
            .bind(&name.namespace)
            .bind(&name.name)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await.map_err(sql)?;
        Ok(Purge::Done { events: 0 })
    }

    /// Removes all rows of an epoch that nobody finds any more. Returns how many events it had.
    pub(super) async fn remove_epoch(&self, epoch: i64) -> Result<u64> {
        let events = self.remove_all(epoch, EVENTS).await?;
        for table in CLICKMAPS.into_iter().chain(OTHERS) {
            self.remove_all(epoch, table).await?;
        }
        let mut tx = self.write().await?;
        remove_rest(&mut tx, epoch).await?;
        tx.commit().await.map_err(sql)?;
        Ok(events)
    }

    /// Removes all of the epoch's rows of a table, to which nobody adds any. Returns how many there were.
    async fn remove_all(&self, epoch: i64, table: Growing) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let rows = sqlx::query(remove_sql(table, ""))
                .bind(epoch)
                .bind(limit(BATCH))
                .execute(&mut *tx)
                .await
                .map_err(sql)?
                .rows_affected();
            tx.commit().await.map_err(sql)?;
            removed += rows;
            if rows < BATCH as u64 {
                return Ok(removed);
            }
        }
    }
}

/// Takes an epoch away from its connection: nobody finds it any more, and it is to be removed.
pub(super) async fn condemn_epoch(connection: &mut SqliteConnection, epoch: i64) -> Result<()> {
    sqlx::query("UPDATE epochs SET id = ?, condemned = 1 WHERE number = ?")
        .bind(Uuid::new_v4())
        .bind(epoch)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}

/// What is left, of which there is little, and with it the epoch.
async fn remove_rest(connection: &mut SqliteConnection, epoch: i64) -> Result<()> {
    for remove in [
        "DELETE FROM clickmap_days_due WHERE epoch = ?",
        "DELETE FROM day_verdicts WHERE epoch = ?",
        "DELETE FROM cohort_histories WHERE epoch = ?",
        "DELETE FROM cohorts WHERE epoch = ?",
        "DELETE FROM leases WHERE epoch = ?",
        "DELETE FROM epochs WHERE number = ?",
    ] {
        sqlx::query(remove)
            .bind(epoch)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}
