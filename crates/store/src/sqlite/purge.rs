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
use super::values::{get, instant_or_none, limit as rows, micros};

/// Rows of one table removed in one transaction: others wait that long for the file.
const BATCH: i64 = 20_000;

impl SqliteStore {
    pub(super) async fn list_purges(
        &self,
        now: Timestamp,
        after: Option<&ConnectionName>,
        limit: usize,
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
        .bind(rows(limit))
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
            sqlx::query("UPDATE epochs SET id = ?, condemned = 1 WHERE number = ?")
                .bind(Uuid::new_v4())
                .bind(epoch)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
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
        self.remove_many(
            epoch,
            "DELETE FROM cohort_members WHERE epoch = ?1 AND entered_seq IN (
                SELECT entered_seq FROM cohort_members WHERE epoch = ?1 LIMIT ?2)",
        )
        .await?;
        let events = self
            .remove_many(
                epoch,
                "DELETE FROM events WHERE rowid IN (
                    SELECT rowid FROM events WHERE epoch = ?1 LIMIT ?2)",
            )
            .await?;
        let mut tx = self.write().await?;
        remove_rest(&mut tx, epoch).await?;
        tx.commit().await.map_err(sql)?;
        Ok(events)
    }

    /// Removes the epoch's rows of a table that may have millions. Returns how many there were.
    async fn remove_many(&self, epoch: i64, remove: &'static str) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let rows = sqlx::query(remove)
                .bind(epoch)
                .bind(BATCH)
                .execute(&mut *tx)
                .await
                .map_err(sql)?
                .rows_affected();
            tx.commit().await.map_err(sql)?;
            removed += rows;
            if rows == 0 {
                return Ok(removed);
            }
        }
    }
}

/// Everything that is left, and with it the epoch.
async fn remove_rest(connection: &mut SqliteConnection, epoch: i64) -> Result<()> {
    for remove in [
        "DELETE FROM event_deletions WHERE epoch = ?",
        "DELETE FROM clickmap_days_due WHERE epoch = ?",
        "DELETE FROM clickmap_pages WHERE epoch = ?",
        "DELETE FROM clickmap_elements WHERE epoch = ?",
        "DELETE FROM clickmap_labels WHERE epoch = ?",
        "DELETE FROM daily_event_counts WHERE epoch = ?",
        "DELETE FROM daily_stage_counts WHERE epoch = ?",
        "DELETE FROM event_definitions WHERE epoch = ?",
        "DELETE FROM identity_facts WHERE epoch = ?",
        "DELETE FROM identity_fact_changes WHERE epoch = ?",
        "DELETE FROM identity_conflicts WHERE epoch = ?",
        "DELETE FROM person_links WHERE epoch = ?",
        "DELETE FROM day_verdicts WHERE epoch = ?",
        "DELETE FROM erased_ids WHERE epoch = ?",
        "DELETE FROM erased_persons WHERE epoch = ?",
        "DELETE FROM erased_events WHERE epoch = ?",
        "DELETE FROM cohort_buckets WHERE epoch = ?",
        "DELETE FROM cohort_histories WHERE epoch = ?",
        "DELETE FROM cohorts WHERE epoch = ?",
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
    Ok(())
}
