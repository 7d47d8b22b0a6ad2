//! Persons that may be several customers: noted when a link or a fact comes that could make them so,
//! so that they are listed without a look at all links. Who is none any more stays noted for a while,
//! and the statement that lists them leaves it out.

use domain::storage::{Lease, Result};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::errors::sql;
use super::statement::{query, query_as, query_scalar};
use super::values::{limit as rows, texts};
use super::{PostgresStore, leases};
use crate::epoch_state::EpochState;
use crate::link_rows::customers_of;

/// Links of one read from which on conflicts are rather looked for among all links, once it is over.
const MANY: usize = 5_000;

/// Whether the distinct ids of a person `c` carry several customer ids; `$1` is the epoch.
fn is_conflict(customers: &str) -> String {
    format!(
        "(SELECT min(f.value) <> max(f.value)
         FROM person_links AS p JOIN identity_facts AS f
            ON f.epoch = p.epoch AND f.distinct_id = p.distinct_id
         WHERE p.epoch = $1 AND p.person_id = c.person_id AND p.valid_to IS NULL
            AND f.property = ANY({customers}))"
    )
}

/// The statement that lists the persons of an epoch, after one, when conflicts are kept.
pub(super) fn list_sql() -> String {
    format!(
        "SELECT c.person_id FROM identity_conflicts AS c
         WHERE c.epoch = $1 AND ($2::uuid IS NULL OR c.person_id > $2) AND {}
         ORDER BY c.person_id LIMIT $4",
        is_conflict("$3")
    )
}

/// The persons of an epoch that are several customers, after one, in order.
pub(super) async fn list(
    connection: &mut PgConnection,
    epoch: i64,
    customers: &[&str],
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Uuid>> {
    let is_known: bool = query_scalar("SELECT conflicts_known FROM epochs WHERE number = $1")
        .bind(epoch)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    let text = if is_known {
        list_sql()
    } else {
        "SELECT p.person_id FROM person_links AS p
            JOIN identity_facts AS f ON f.epoch = p.epoch AND f.distinct_id = p.distinct_id
         WHERE p.epoch = $1 AND p.valid_to IS NULL
            AND ($2::uuid IS NULL OR p.person_id > $2) AND f.property = ANY($3)
         GROUP BY p.person_id HAVING min(f.value) <> max(f.value)
         ORDER BY p.person_id LIMIT $4"
            .to_owned()
    };
    query_scalar(AssertSqlSafe(text))
        .bind(epoch)
        .bind(after)
        .bind(texts(customers.iter().copied()))
        .bind(rows(limit))
        .fetch_all(connection)
        .await
        .map_err(sql)
}

/// Notes the persons of distinct ids whose events carry a customer id that they did not carry before.
pub(super) async fn after_facts(
    connection: &mut PgConnection,
    state: &EpochState,
    distinct_ids: &[String],
) -> Result<()> {
    if distinct_ids.is_empty() {
        return Ok(());
    }
    // Each is looked up by itself: a planner that may choose reads all links of the epoch.
    query(AssertSqlSafe(format!(
        "INSERT INTO identity_conflicts (epoch, person_id)
         SELECT $1, c.person_id FROM (
            SELECT DISTINCT l.person_id FROM unnest($2::text[]) AS u (id)
            CROSS JOIN LATERAL (SELECT person_id FROM person_links AS l
                WHERE l.epoch = $1 AND l.valid_to IS NULL
                    AND left(l.distinct_id, 500) = left(u.id, 500) AND l.distinct_id = u.id
                LIMIT 1) AS l) AS c
         WHERE {} ON CONFLICT DO NOTHING",
        is_conflict("$3")
    )))
    .bind(state.number)
    .bind(distinct_ids)
    .bind(&state.customers)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Notes the persons of links that have begun.
pub(super) async fn after_links(
    connection: &mut PgConnection,
    epoch: i64,
    begun: &[(&str, Uuid)],
) -> Result<()> {
    if begun.is_empty() {
        return Ok(());
    }
    if begun.len() >= MANY {
        query("UPDATE epochs SET conflicts_known = false WHERE number = $1")
            .bind(epoch)
            .execute(connection)
            .await
            .map_err(sql)?;
        return Ok(());
    }
    let (is_known, customers) = known(connection, epoch).await?;
    if !is_known || customers.is_empty() {
        return Ok(());
    }
    let (distinct_ids, persons): (Vec<&str>, Vec<Uuid>) = begun.iter().copied().unzip();
    query(AssertSqlSafe(format!(
        "INSERT INTO identity_conflicts (epoch, person_id)
         SELECT $1, c.person_id FROM (
            SELECT DISTINCT u.person_id FROM unnest($2::text[], $3::uuid[]) AS u (id, person_id)
            CROSS JOIN LATERAL (SELECT 1 FROM identity_facts AS f
                WHERE f.epoch = $1 AND f.distinct_id = u.id AND f.property = ANY($4)
                LIMIT 1) AS carried) AS c
         WHERE {} ON CONFLICT DO NOTHING",
        is_conflict("$4")
    )))
    .bind(epoch)
    .bind(distinct_ids)
    .bind(persons)
    .bind(customers)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Forgets who is no several customers any more.
pub(super) async fn prune(connection: &mut PgConnection, epoch: i64) -> Result<()> {
    let (_, customers) = known(connection, epoch).await?;
    query(AssertSqlSafe(format!(
        "DELETE FROM identity_conflicts AS c WHERE c.epoch = $1 AND {} IS NOT TRUE",
        is_conflict("$2")
    )))
    .bind(epoch)
    .bind(customers)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Forgets erased persons.
pub(super) async fn forget(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<()> {
    query("DELETE FROM identity_conflicts WHERE epoch = $1 AND person_id = ANY($2)")
        .bind(epoch)
        .bind(persons)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}

/// Whether conflicts are kept, and which properties name customers.
async fn known(connection: &mut PgConnection, epoch: i64) -> Result<(bool, Vec<String>)> {
    let (is_known, properties): (bool, String) =
        query_as("SELECT conflicts_known, id_properties FROM epochs WHERE number = $1")
            .bind(epoch)
            .fetch_one(connection)
            .await
            .map_err(sql)?;
    Ok((is_known, customers_of(&properties)?))
}

impl PostgresStore {
    /// Looks for conflicts among all links, unless they are kept.
    pub(super) async fn look_for_conflicts(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let (is_known, customers) = known(&mut tx, epoch).await?;
        if is_known {
            return tx.end().await;
        }
        query("DELETE FROM identity_conflicts WHERE epoch = $1")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        query(
            "INSERT INTO identity_conflicts (epoch, person_id)
             SELECT $1, p.person_id FROM person_links AS p
                JOIN identity_facts AS f ON f.epoch = p.epoch AND f.distinct_id = p.distinct_id
             WHERE p.epoch = $1 AND p.valid_to IS NULL AND f.property = ANY($2)
             GROUP BY p.person_id HAVING min(f.value) <> max(f.value)",
        )
        .bind(epoch)
        .bind(customers)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        query("UPDATE epochs SET conflicts_known = true WHERE number = $1")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await
    }
}
