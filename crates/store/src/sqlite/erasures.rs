//! [`ErasureStore`]: what an erasure does to rows is in `erasing`; here are its transactions, and what
//! recounts ask.

use async_trait::async_trait;
use domain::erasure::{Erased, ErasedPerson};
use domain::storage::{ErasureStore, Lease, Result};
use domain::{ConnectionId, ConnectionName};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::epochs;
use super::erasing::{IDS, bury, of_ids, remove_batch, whole};
use super::errors::sql;
use super::rows::{batches, list_sql};
use super::utc_days::ERASED;
use super::values::{get, unsigned};
use super::{SqliteStore, belonging, cohorts_erase, leases, refusals, seen_ids};
use crate::seen_ids::SeenIds;

#[async_trait]
impl ErasureStore for SqliteStore {
    async fn epochs_of(&self, name: &ConnectionName) -> Result<Vec<ConnectionId>> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT id FROM epochs WHERE namespace = ? AND name = ? AND NOT condemned
             ORDER BY number",
        )
        .bind(&name.namespace)
        .bind(&name.name)
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?;
        Ok(ids.into_iter().map(ConnectionId).collect())
    }

    async fn belonging(
        &self,
        connection: ConnectionId,
        person: &ErasedPerson,
    ) -> Result<ErasedPerson> {
        let mut tx = self.read().await?;
        let epoch = epochs::number(&mut tx, connection).await?;
        let persons = belonging::persons_of(&mut tx, epoch, &person.distinct_ids).await?;
        let mut ids = belonging::ids_of(&mut tx, epoch, &person.persons).await?;
        ids.extend(seen_ids::of(&mut tx, epoch, &person.persons, SeenIds::default()).await?);
        tx.commit().await.map_err(sql)?;
        Ok(ErasedPerson {
            persons: persons.into_iter().collect(),
            distinct_ids: ids.into_iter().collect(),
        })
    }

    async fn erasable(&self, connection: ConnectionId, person: &ErasedPerson) -> Result<Erased> {
        let mut tx = self.read().await?;
        let epoch = epochs::number(&mut tx, connection).await?;
        let person = with_seen(&mut tx, epoch, person, SeenIds::default()).await?;
        let ErasedPerson {
            persons,
            distinct_ids: ids,
        } = whole(&mut tx, epoch, &person).await?;
        let mut erasable = Erased {
            persons: persons.len() as u64,
            distinct_ids: ids.len() as u64,
            cohort_stays: cohorts_erase::count(&mut tx, epoch, &persons).await?,
            ..Erased::default()
        };
        for batch in batches(&ids, IDS) {
            for (table, count) in [
                ("events", &mut erasable.events),
                ("person_links", &mut erasable.person_links),
                ("identity_facts", &mut erasable.fact_links),
            ] {
                let before = format!(
                    "SELECT count(*) AS rows FROM {table} WHERE epoch = ? AND distinct_id IN"
                );
                let text = list_sql(&before, batch.len(), "");
                let row = sqlx::query_with(text, of_ids(epoch, batch)?.into_arguments())
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(sql)?;
                *count += unsigned(get(&row, "rows")?);
            }
        }
        tx.commit().await.map_err(sql)?;
        Ok(erasable)
    }

    async fn begin_erasure(
        &self,
        connection: ConnectionId,
        person: &ErasedPerson,
        now: Timestamp,
    ) -> Result<Erased> {
        let seen = self.seen(connection, &person.persons).await?;
        let mut tx = self.write().await?;
        let epoch = epochs::number(&mut tx, connection).await?;
        let person = with_seen(&mut tx, epoch, person, seen).await?;
        let person = whole(&mut tx, epoch, &person).await?;
        let erased = bury(&mut tx, epoch, &person, now).await?;
        tx.commit().await.map_err(sql)?;
        Ok(erased)
    }

    async fn finish_erasures(&self, connection: ConnectionId) -> Result<u64> {
        let mut removed = 0;
        // Most epochs have nothing to finish: the file is not locked to learn that.
        while self.is_pending(connection).await? {
            let mut tx = self.write().await?;
            let epoch = epochs::number(&mut tx, connection).await?;
            removed += remove_batch(&mut tx, epoch).await?;
            tx.commit().await.map_err(sql)?;
        }
        Ok(removed)
    }

    async fn erased_by_utc_day(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<(Date, u64)>> {
        self.utc_day_counts(ERASED, connection, from, to).await
    }

    async fn erased_uuids_of_utc_day(
        &self,
        connection: ConnectionId,
        day: Date,
        arrived_before: Timestamp,
    ) -> Result<Vec<Uuid>> {
        self.utc_day_uuids(ERASED, connection, day, arrived_before)
            .await
    }

    async fn forget_erased(&self, lease: &Lease, uuids: &[Uuid]) -> Result<u64> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let forgotten = refusals::forget(&mut tx, epoch, uuids).await?;
        tx.commit().await.map_err(sql)?;
        Ok(forgotten)
    }
}

/// The person with the distinct ids that are theirs by events alone.
async fn with_seen(
    connection: &mut SqliteConnection,
    epoch: i64,
    person: &ErasedPerson,
    seen: SeenIds,
) -> Result<ErasedPerson> {
    let mut person = person.clone();
    let ids = seen_ids::of(connection, epoch, &person.persons, seen).await?;
    person.distinct_ids.extend(ids);
    Ok(person)
}

impl SqliteStore {
    /// The distinct ids that events name beside these persons, looked for while others write.
    async fn seen(&self, connection: ConnectionId, persons: &[Uuid]) -> Result<SeenIds> {
        let mut tx = self.read().await?;
        let epoch = epochs::number(&mut tx, connection).await?;
        let seen = seen_ids::look(&mut tx, epoch, persons, SeenIds::default()).await?;
        tx.commit().await.map_err(sql)?;
        Ok(seen)
    }

    async fn is_pending(&self, connection: ConnectionId) -> Result<bool> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM erased_ids
                WHERE epoch = (SELECT number FROM epochs WHERE id = ?)
                    AND distinct_id IS NOT NULL)",
        )
        .bind(connection.0)
        .fetch_one(&self.readers)
        .await
        .map_err(sql)
    }
}
