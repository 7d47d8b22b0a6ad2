//! Removing a connection whole, after its grace period. First its epochs lose their ids, in the one
//! transaction that finds it due: from then on nobody finds or adopts them, and what is removed in
//! batches afterwards can be half gone without harm.

use domain::ConnectionName;
use domain::storage::{Purge, Result};
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::PostgresStore;
use super::errors::sql;
use super::growing::{BATCH, remove_sql};
use super::statement::{query, query_scalar};
use super::values::{get, instant_or_none, limit, micros, text};
use crate::growing_tables::{CLICKMAPS, EVENTS, Growing, OTHERS};

impl PostgresStore {
    pub(super) async fn list_purges(
        &self,
        now: Timestamp,
        after: Option<&ConnectionName>,
        most: usize,
    ) -> Result<Vec<ConnectionName>> {
        let (namespace, name) = after.map_or(("", ""), |name| (&name.namespace, &name.name));
        let query = query(
            "SELECT namespace, name FROM (
                SELECT namespace, name FROM connections WHERE purge_at <= $1
                UNION SELECT namespace, name FROM epochs WHERE condemned) AS due
             WHERE (namespace, name) > ($2, $3) ORDER BY namespace, name LIMIT $4",
        )
        .bind(micros(now))
        .bind(text(namespace))
        .bind(text(name))
        .bind(limit(most));
        self.fetch(query)
            .await?
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
        let condemned: Vec<i64> = self
            .fetch_column(
                query("SELECT number FROM epochs WHERE namespace = $1 AND name = $2 AND condemned")
                    .bind(text(&name.namespace))
                    .bind(text(&name.name)),
            )
            .await?;
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
        // Epochs before their connection, as whoever recreates it takes them: so the two cannot
        // wait for each other.
        let epochs: Vec<i64> = query_scalar(
            "SELECT number FROM epochs WHERE namespace = $1 AND name = $2 AND NOT condemned
             ORDER BY number FOR UPDATE",
        )
        .bind(text(&name.namespace))
        .bind(text(&name.name))
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
        let found = query(
            "SELECT deleted_at, purge_at FROM connections
             WHERE namespace = $1 AND name = $2 FOR UPDATE",
        )
        .bind(text(&name.namespace))
        .bind(text(&name.name))
        .fetch_optional(&mut *tx)
        .await
        .map_err(sql)?;
        let standing = match &found {
            None => Some(Purge::Done { events: 0 }),
            Some(row) if get::<Option<i64>>(row, "deleted_at")?.is_none() => Some(Purge::Alive),
            Some(row) => {
                let until = instant_or_none(get(row, "purge_at")?)?;
                until
                    .is_none_or(|due| due > now)
                    .then_some(Purge::Kept { until })
            }
        };
        if let Some(standing) = standing {
            tx.end().await?;
            return Ok(standing);
        }
        for epoch in epochs {
            condemn_epoch(&mut tx, epoch).await?;
        }
        query("DELETE FROM connections WHERE namespace = $1 AND name = $2")
            .bind(text(&name.namespace))
            .bind(text(&name.name))
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await?;
        Ok(Purge::Done { events: 0 })
    }

    /// Removes all rows of an epoch that nobody finds any more. Returns how many events it had.
    pub(super) async fn remove_epoch(&self, epoch: i64) -> Result<u64> {
        let events = self.remove_all(epoch, EVENTS).await?;
        for table in CLICKMAPS.into_iter().chain(OTHERS) {
            self.remove_all(epoch, table).await?;
        }
        let mut tx = self.write().await?;
        // The epoch's row before all others, as whoever writes takes it.
        query("SELECT 1 FROM epochs WHERE number = $1 FOR UPDATE")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        remove_rest(&mut tx, epoch).await?;
        tx.commit().await?;
        Ok(events)
    }

    /// Removes all of the epoch's rows of a table, to which nobody adds any. Returns how many there were.
    async fn remove_all(&self, epoch: i64, table: Growing) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let rows = query(remove_sql(table, ""))
                .bind(epoch)
                .bind(limit(BATCH))
                .execute(&mut *tx)
                .await
                .map_err(sql)?
                .rows_affected();
            tx.commit().await?;
            removed += rows;
            if rows < BATCH as u64 {
                return Ok(removed);
            }
        }
    }
}

/// Takes an epoch away from its connection: nobody finds it any more, and it is to be removed.
pub(super) async fn condemn_epoch(connection: &mut PgConnection, epoch: i64) -> Result<()> {
    query("UPDATE epochs SET id = $2, condemned = true WHERE number = $1")
        .bind(epoch)
        .bind(Uuid::new_v4())
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}

/// What is left, of which there is little, and with it the epoch.
async fn remove_rest(connection: &mut PgConnection, epoch: i64) -> Result<()> {
    for remove in [
        "DELETE FROM clickmap_days_due WHERE epoch = $1",
        "DELETE FROM day_verdicts WHERE epoch = $1",
        "DELETE FROM cohort_histories WHERE epoch = $1",
        "DELETE FROM cohorts WHERE epoch = $1",
        "DELETE FROM leases WHERE epoch = $1",
        "DELETE FROM epochs WHERE number = $1",
    ] {
        query(remove)
            .bind(epoch)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}
