//! Person mappings as PostHog has them, with the history of how they moved.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::ConnectionId;
use domain::erasure::ErasedPerson;
use domain::storage::{
    ErasureStore, IdentityWriter, Lease, PersonMapping, PersonsReading, ReadRange, Result,
};
use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::errors::sql;
use super::rows::{Parameters, WriteRows, batches, list_sql};
use super::values::{get, micros};
use super::{SqliteStore, conflicts, erasing, leases, persons_reading, refusals};
use crate::person_moves::{Current, Difference, Observed, compare, named, observed};

const ROWS: usize = 256;

#[async_trait]
impl IdentityWriter for SqliteStore {
    async fn observe_persons(
        &self,
        lease: &Lease,
        mappings: &[PersonMapping],
        range: &ReadRange,
        observed_at: Timestamp,
    ) -> Result<u64> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let (mappings, erased) = refusals::part_mappings(&mut tx, epoch, mappings).await?;
        let observed = observed(&mappings);
        let current = current_links(&mut tx, epoch, &observed, range).await?;
        let difference = compare(&observed, &current);
        write(&mut tx, epoch, &difference, micros(observed_at)).await?;
        conflicts::after_links(&mut tx, epoch, &difference.begun).await?;
        if !erased.is_empty() {
            let person = ErasedPerson {
                persons: Vec::new(),
                distinct_ids: erased.iter().cloned().collect(),
            };
            let person = erasing::whole(&mut tx, epoch, &person).await?;
            erasing::bury(&mut tx, epoch, &person, observed_at).await?;
        }
        tx.commit().await.map_err(sql)?;
        if !erased.is_empty() {
            self.finish_erasures(lease.connection).await?;
        }
        Ok(difference.changed)
    }

    async fn persons_read(&self, lease: &Lease, at: Timestamp) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        sqlx::query("UPDATE epochs SET persons_read_at = ? WHERE number = ?")
            .bind(micros(at))
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        persons_reading::end(&mut tx, epoch).await?;
        conflicts::prune(&mut tx, epoch).await?;
        tx.commit().await.map_err(sql)
    }

    async fn keep_persons_reading(&self, lease: &Lease, reading: &PersonsReading) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        persons_reading::keep(&mut tx, epoch, reading).await?;
        tx.commit().await.map_err(sql)
    }

    async fn persons_reading(&self, connection: ConnectionId) -> Result<Option<PersonsReading>> {
        self.find_persons_reading(connection).await
    }

    async fn find_conflicts(&self, lease: &Lease) -> Result<()> {
        self.look_for_conflicts(lease).await
    }
}

/// The current links of every id that was answered or that the read covered.
async fn current_links(
    connection: &mut SqliteConnection,
    epoch: i64,
    observed: &Observed<'_>,
    range: &ReadRange,
) -> Result<BTreeMap<String, Current>> {
    let ids = named(observed, range);
    let mut rows = Vec::new();
    if let ReadRange::Span { after, through } = range {
        rows = sqlx::query(
            "SELECT link, distinct_id, person_id FROM person_links
             WHERE epoch = ?1 AND valid_to IS NULL
                AND (?2 IS NULL OR distinct_id > ?2) AND (?3 IS NULL OR distinct_id <= ?3)",
        )
        .bind(epoch)
        .bind(after)
        .bind(through)
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
    }
    for batch in batches(&ids, ROWS) {
        let mut parameters = Parameters::with_capacity(1 + batch.len());
        parameters.add(epoch)?;
        for id in batch {
            parameters.add(&**id)?;
        }
        let text = list_sql(
            "SELECT link, distinct_id, person_id FROM person_links
             WHERE epoch = ? AND valid_to IS NULL AND distinct_id IN",
            batch.len(),
            "",
        );
        rows.extend(
            sqlx::query_with(text, parameters.into_arguments())
                .fetch_all(&mut *connection)
                .await
                .map_err(sql)?,
        );
    }
    rows.iter().map(decode).collect()
}

fn decode(row: &SqliteRow) -> Result<(String, Current)> {
    Ok((
        get(row, "distinct_id")?,
        Current {
            link: get(row, "link")?,
            person_id: get(row, "person_id")?,
        },
    ))
}

async fn write(
    connection: &mut SqliteConnection,
    epoch: i64,
    difference: &Difference<'_>,
    at: i64,
) -> Result<()> {
    if difference.changed == 0 {
        return Ok(());
    }
    let (mut seq, read_at): (i64, Option<i64>) =
        sqlx::query_as("SELECT link_seq, persons_read_at FROM epochs WHERE number = ?")
            .bind(epoch)
            .fetch_one(&mut *connection)
            .await
            .map_err(sql)?;
    for link in &difference.ended {
        seq += 1;
        // Until now the last full read counted as its last sight, without writing every link.
        // A clock that was set back must not end a link before it began.
        sqlx::query(
            "UPDATE person_links SET valid_to = max(valid_from, ?2),
                last_seen = max(last_seen, coalesce(?3, last_seen)), change_seq = ?4
             WHERE link = ?1",
        )
        .bind(link)
        .bind(at)
        .bind(read_at)
        .bind(seq)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    }
    let write = WriteRows {
        before: "INSERT INTO person_links
                (epoch, distinct_id, person_id, valid_from, last_seen, change_seq) VALUES",
        columns: 6,
        after: "",
        most: ROWS,
    };
    write
        .run(
            connection,
            &difference.begun,
            |to, (distinct_id, person_id)| {
                seq += 1;
                to.add(epoch)?;
                to.add(*distinct_id)?;
                to.add(*person_id)?;
                to.add(at)?;
                to.add(at)?;
                to.add(seq)
            },
        )
        .await?;
    sqlx::query("UPDATE epochs SET link_seq = ? WHERE number = ?")
        .bind(seq)
        .bind(epoch)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}
