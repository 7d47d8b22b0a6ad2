//! Person mappings as PostHog has them, with the history of how they moved.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::ConnectionId;
use domain::erasure::ErasedPerson;
use domain::storage::{
    ErasureStore, IdentityWriter, Lease, PersonMapping, PersonsReading, ReadRange, Result,
};
use jiff::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::copy::{CHUNK, Rows};
use super::errors::sql;
use super::statement::{query, query_as};
use super::values::{get, limit, micros, text};
use super::{PostgresStore, conflicts, erasing, leases, persons_reading, refusals};
use crate::person_moves::{Current, Difference, Observed, compare, named, observed};

#[async_trait]
impl IdentityWriter for PostgresStore {
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
        tx.commit().await?;
        if !erased.is_empty() {
            self.finish_erasures(lease.connection).await?;
        }
        Ok(difference.changed)
    }

    async fn persons_read(&self, lease: &Lease, at: Timestamp) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        query("UPDATE epochs SET persons_read_at = $1 WHERE number = $2")
            .bind(micros(at))
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        persons_reading::end(&mut tx, epoch).await?;
        conflicts::prune(&mut tx, epoch).await?;
        tx.commit().await
    }

    async fn keep_persons_reading(&self, lease: &Lease, reading: &PersonsReading) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        persons_reading::keep(&mut tx, epoch, reading).await?;
        tx.commit().await
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
    connection: &mut PgConnection,
    epoch: i64,
    observed: &Observed<'_>,
    range: &ReadRange,
) -> Result<BTreeMap<String, Current>> {
    let mut rows = Vec::new();
    if let ReadRange::Span { after, through } = range {
        rows = query(
            "SELECT link, distinct_id, person_id FROM person_links
             WHERE epoch = $1 AND valid_to IS NULL
                AND ($2::text IS NULL OR left(distinct_id, 500) >= left($2, 500) AND distinct_id > $2)
                AND ($3::text IS NULL OR left(distinct_id, 500) <= left($3, 500) AND distinct_id <= $3)",
        )
        .bind(epoch)
        .bind(after.as_deref().map(text))
        .bind(through.as_deref().map(text))
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
    }
    rows.extend(
        query(
            "SELECT p.link, p.distinct_id, p.person_id
             FROM unnest($2::text[]) AS u (id) JOIN person_links AS p
                ON p.epoch = $1 AND p.valid_to IS NULL
                    AND left(p.distinct_id, 500) = left(u.id, 500) AND p.distinct_id = u.id",
        )
        .bind(epoch)
        .bind(named(observed, range))
        .fetch_all(connection)
        .await
        .map_err(sql)?,
    );
    rows.iter().map(decode).collect()
}

fn decode(row: &PgRow) -> Result<(String, Current)> {
    Ok((
        get(row, "distinct_id")?,
        Current {
            link: get(row, "link")?,
            person_id: get(row, "person_id")?,
        },
    ))
}

async fn write(
    connection: &mut PgConnection,
    epoch: i64,
    difference: &Difference<'_>,
    at: i64,
) -> Result<()> {
    if difference.changed == 0 {
        return Ok(());
    }
    let (mut seq, read_at): (i64, Option<i64>) =
        query_as("SELECT link_seq, persons_read_at FROM epochs WHERE number = $1")
            .bind(epoch)
            .fetch_one(&mut *connection)
            .await
            .map_err(sql)?;
    let first = seq + 1;
    seq += limit(difference.ended.len());
    // Until now the last full read counted as its last sight, without writing every link.
    // A clock that was set back must not end a link before it began.
    query(
        "UPDATE person_links AS p SET valid_to = greatest(p.valid_from, $3),
            last_seen = greatest(p.last_seen, $4), change_seq = e.change_seq
         FROM unnest($1::bigint[], $2::bigint[]) AS e (link, change_seq)
         WHERE p.link = e.link",
    )
    .bind(&difference.ended)
    .bind((first..=seq).collect::<Vec<i64>>())
    .bind(at)
    .bind(read_at)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    let first = seq + 1;
    seq += limit(difference.begun.len());
    begin_links(&mut *connection, epoch, &difference.begun, first, at).await?;
    query("UPDATE epochs SET link_seq = $1 WHERE number = $2")
        .bind(seq)
        .bind(epoch)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}

/// Writes new links with the numbers from `change_seq` on. By COPY, for the first read of a project
/// brings a link for each of its ids.
async fn begin_links(
    connection: &mut PgConnection,
    epoch: i64,
    begun: &[(&str, Uuid)],
    mut change_seq: i64,
    at: i64,
) -> Result<()> {
    if begun.is_empty() {
        return Ok(());
    }
    let mut copy = connection
        .copy_in_raw(
            "COPY person_links (epoch, distinct_id, person_id, valid_from, last_seen, change_seq)
             FROM STDIN (FORMAT binary)",
        )
        .await
        .map_err(sql)?;
    let mut rows = Rows::new(6, CHUNK + CHUNK / 4);
    for (distinct_id, person_id) in begun {
        rows.row();
        rows.bigint(epoch);
        rows.text(distinct_id);
        rows.uuid(person_id);
        rows.bigint(at);
        rows.bigint(at);
        rows.bigint(change_seq);
        change_seq += 1;
        if rows.bytes().len() >= CHUNK {
            copy.send(rows.bytes()).await.map_err(sql)?;
            rows.clear();
        }
    }
    rows.end();
    copy.send(rows.bytes()).await.map_err(sql)?;
    copy.finish().await.map_err(sql)?;
    Ok(())
}
