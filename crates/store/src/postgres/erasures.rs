//! [`ErasureStore`]: what an erasure does to rows is in `erasing`; here are its transactions, and what
//! recounts ask.

use async_trait::async_trait;
use domain::erasure::{Erased, ErasedPerson};
use domain::storage::{ErasureStore, Lease, Result};
use domain::{ConnectionId, ConnectionName};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::erasing::{OF_IDS, bury, lock, remove_batch, whole};
use super::errors::sql;
use super::statement::{query, query_scalar};
use super::utc_days::ERASED;
use super::values::{text, unsigned};
use super::{PostgresStore, belonging, cohorts_erase, leases, refusals, seen_ids};
use crate::failures::not_found;
use crate::seen_ids::SeenIds;

#[async_trait]
impl ErasureStore for PostgresStore {
    async fn epochs_of(&self, name: &ConnectionName) -> Result<Vec<ConnectionId>> {
        let query = query(
            "SELECT id FROM epochs WHERE namespace = $1 AND name = $2 AND NOT condemned
             ORDER BY number",
        )
        .bind(text(&name.namespace))
        .bind(text(&name.name));
        let ids: Vec<Uuid> = self.fetch_column(query).await?;
        Ok(ids.into_iter().map(ConnectionId).collect())
    }

    async fn belonging(
        &self,
        connection: ConnectionId,
        person: &ErasedPerson,
    ) -> Result<ErasedPerson> {
        let mut tx = self.read_for_upkeep().await?;
        let epoch = number(&mut tx, connection).await?;
        let persons = belonging::persons_of(&mut tx, epoch, &person.distinct_ids).await?;
        let mut ids = belonging::ids_of(&mut tx, epoch, &person.persons).await?;
        ids.extend(seen_ids::of(&mut tx, epoch, &person.persons, SeenIds::default()).await?);
        tx.end().await?;
        Ok(ErasedPerson {
            persons: persons.into_iter().collect(),
            distinct_ids: ids.into_iter().collect(),
        })
    }

    async fn erasable(&self, connection: ConnectionId, person: &ErasedPerson) -> Result<Erased> {
        let mut tx = self.read_for_upkeep().await?;
        let epoch = number(&mut tx, connection).await?;
        let person = with_seen(&mut tx, epoch, person, SeenIds::default()).await?;
        let ErasedPerson {
            persons,
            distinct_ids: ids,
        } = whole(&mut tx, epoch, &person).await?;
        let count = async |tx: &mut PgConnection, table: &str| -> Result<u64> {
            let text = format!("SELECT count(*) FROM {table} WHERE {OF_IDS}");
            let counted: i64 = query_scalar(AssertSqlSafe(text))
                .bind(epoch)
                .bind(&ids)
                .fetch_one(tx)
                .await
                .map_err(sql)?;
            Ok(unsigned(counted))
        };
        let erasable = Erased {
            persons: persons.len() as u64,
            distinct_ids: ids.len() as u64,
            events: count(&mut tx, "events").await?,
            person_links: count(&mut tx, "person_links").await?,
            fact_links: count(&mut tx, "identity_facts").await?,
            cohort_stays: cohorts_erase::count(&mut tx, epoch, &persons).await?,
        };
        tx.end().await?;
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
        let epoch = lock(&mut tx, connection).await?;
        let person = with_seen(&mut tx, epoch, person, seen).await?;
        let person = whole(&mut tx, epoch, &person).await?;
        let erased = bury(&mut tx, epoch, &person, now).await?;
        tx.commit().await?;
        Ok(erased)
    }

    async fn finish_erasures(&self, connection: ConnectionId) -> Result<u64> {
        let mut removed = 0;
        // Most epochs have nothing to finish: their rows are not locked to learn that.
        while self.is_pending(connection).await? {
            let mut tx = self.write().await?;
            let epoch = lock(&mut tx, connection).await?;
            removed += remove_batch(&mut tx, epoch).await?;
            tx.commit().await?;
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
        tx.commit().await?;
        Ok(forgotten)
    }
}

/// The local number of an epoch, for who only reads.
async fn number(connection: &mut PgConnection, id: ConnectionId) -> Result<i64> {
    query_scalar("SELECT number FROM epochs WHERE id = $1")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .ok_or_else(|| not_found(format!("connection {id}")))
}

/// The person with the distinct ids that are theirs by events alone.
async fn with_seen(
    connection: &mut PgConnection,
    epoch: i64,
    person: &ErasedPerson,
    seen: SeenIds,
) -> Result<ErasedPerson> {
    let mut person = person.clone();
    let ids = seen_ids::of(connection, epoch, &person.persons, seen).await?;
    person.distinct_ids.extend(ids);
    Ok(person)
}

impl PostgresStore {
    /// The distinct ids that events name beside these persons, looked for while others write.
    async fn seen(&self, connection: ConnectionId, persons: &[Uuid]) -> Result<SeenIds> {
        let mut tx = self.read_for_upkeep().await?;
        let epoch = number(&mut tx, connection).await?;
        let seen = seen_ids::look(&mut tx, epoch, persons, SeenIds::default()).await?;
        tx.end().await?;
        Ok(seen)
    }

    async fn is_pending(&self, connection: ConnectionId) -> Result<bool> {
        let query = query(
            "SELECT EXISTS (SELECT 1 FROM erased_ids
                WHERE epoch = (SELECT number FROM epochs WHERE id = $1)
                    AND distinct_id IS NOT NULL)",
        )
        .bind(connection.0);
        let pending: Vec<bool> = self.fetch_column(query).await?;
        Ok(pending == [true])
    }
}
