//! Persons that may be several customers: noted when a link or a fact comes that could make them so,
//! so that they are listed without a look at all links. Who is none any more stays noted for a while,
//! and the statement that lists them leaves it out.

use std::collections::BTreeSet;

use domain::storage::{Lease, Result};
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;

use super::epochs::EpochState;
use super::erasing::of_ids;
use super::errors::sql;
use super::rows::{Parameters, batches, list_sql, values_sql};
use super::values::{limit as rows, to_json};
use super::{SqliteStore, leases};
use crate::link_rows::customers_of;

/// Links of one read from which on conflicts are rather looked for among all links, once it is over.
const MANY: usize = 5_000;
/// Ids of one statement.
const ROWS: usize = 256;

/// Whether the distinct ids of a person `c` carry several customer ids; both are parameters, the latter
/// a JSON array.
fn is_conflict(epoch: &str, customers: &str) -> String {
    format!(
        "(SELECT min(f.value) <> max(f.value)
         FROM person_links AS p INDEXED BY person_links_of_person CROSS JOIN identity_facts AS f
         WHERE p.epoch = {epoch} AND p.person_id = c.person_id AND p.valid_to IS NULL
            AND f.epoch = {epoch} AND f.distinct_id = p.distinct_id
            AND f.property IN (SELECT value FROM json_each({customers})))"
    )
}

/// The persons of an epoch who have several customer ids, looked for among all links.
const AMONG_ALL: &str = "SELECT p.person_id FROM person_links AS p
        JOIN identity_facts AS f ON f.epoch = p.epoch AND f.distinct_id = p.distinct_id
     WHERE p.epoch = ?1 AND p.valid_to IS NULL
        AND f.property IN (SELECT value FROM json_each(?2))
        AND (?3 IS NULL OR p.person_id > ?3)
     GROUP BY p.person_id HAVING min(f.value) <> max(f.value)";

/// The statement that lists the persons of an epoch, when conflicts are kept; after one, or from the
/// first on.
pub(super) fn list_sql_after(after: bool) -> String {
    let place = if after { "AND c.person_id > ?3" } else { "" };
    format!(
        "SELECT c.person_id FROM identity_conflicts AS c
         WHERE c.epoch = ?1 {place} AND {}
         ORDER BY c.person_id LIMIT ?4",
        is_conflict("?1", "?2")
    )
}

/// The persons of an epoch that are several customers, after one, in order.
pub(super) async fn list(
    connection: &mut SqliteConnection,
    epoch: i64,
    customers: &[&str],
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Uuid>> {
    let is_known: bool = sqlx::query_scalar("SELECT conflicts_known FROM epochs WHERE number = ?")
        .bind(epoch)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    let text = if is_known {
        list_sql_after(after.is_some())
    } else {
        format!("{AMONG_ALL} ORDER BY p.person_id LIMIT ?4")
    };
    sqlx::query_scalar(AssertSqlSafe(text))
        .bind(epoch)
        .bind(to_json(&customers)?)
        .bind(after)
        .bind(rows(limit))
        .fetch_all(connection)
        .await
        .map_err(sql)
}

/// Notes the persons of distinct ids whose events carry a customer id that they may not have carried
/// before.
pub(super) async fn after_facts(
    connection: &mut SqliteConnection,
    state: &EpochState,
    distinct_ids: &[String],
) -> Result<()> {
    let mut persons: BTreeSet<Uuid> = BTreeSet::new();
    for batch in batches(distinct_ids, ROWS) {
        let text = list_sql(
            "SELECT person_id FROM person_links
             WHERE epoch = ? AND valid_to IS NULL AND distinct_id IN",
            batch.len(),
            "",
        );
        let found: Vec<Uuid> =
            sqlx::query_scalar_with(text, of_ids(state.number, batch)?.into_arguments())
                .fetch_all(&mut *connection)
                .await
                .map_err(sql)?;
        persons.extend(found);
    }
    note(connection, state.number, &state.customers, persons).await
}

/// Notes the persons of links that have begun.
pub(super) async fn after_links(
    connection: &mut SqliteConnection,
    epoch: i64,
    begun: &[(&str, Uuid)],
) -> Result<()> {
    if begun.is_empty() {
        return Ok(());
    }
    if begun.len() >= MANY {
        sqlx::query("UPDATE epochs SET conflicts_known = false WHERE number = ?")
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
    let persons = begun.iter().map(|(_, person)| *person).collect();
    note(connection, epoch, &customers, persons).await
}

/// Notes those of these persons who are several customers.
async fn note(
    connection: &mut SqliteConnection,
    epoch: i64,
    customers: &[String],
    persons: BTreeSet<Uuid>,
) -> Result<()> {
    let persons: Vec<Uuid> = persons.into_iter().collect();
    for batch in batches(&persons, ROWS) {
        let (epoch_at, customers_at) = (batch.len() + 1, batch.len() + 2);
        let after = format!(
            ") INSERT OR IGNORE INTO identity_conflicts (epoch, person_id)
             SELECT ?{epoch_at}, c.person_id FROM asked AS c WHERE {}",
            is_conflict(&format!("?{epoch_at}"), &format!("?{customers_at}"))
        );
        let text = values_sql("WITH asked (person_id) AS (VALUES", 1, batch.len(), &after);
        let mut parameters = Parameters::with_capacity(batch.len() + 2);
        for person in batch {
            parameters.add(*person)?;
        }
        parameters.add(epoch)?;
        parameters.add(to_json(&customers)?)?;
        sqlx::query_with(text, parameters.into_arguments())
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}

/// Forgets who is no several customers any more.
pub(super) async fn prune(connection: &mut SqliteConnection, epoch: i64) -> Result<()> {
    let (_, customers) = known(connection, epoch).await?;
    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM identity_conflicts AS c WHERE c.epoch = ?1 AND {} IS NOT TRUE",
        is_conflict("?1", "?2")
    )))
    .bind(epoch)
    .bind(to_json(&customers)?)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Forgets erased persons.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<()> {
    for person in persons {
        sqlx::query("DELETE FROM identity_conflicts WHERE epoch = ? AND person_id = ?")
            .bind(epoch)
            .bind(person)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}

/// Whether conflicts are kept, and which properties name customers.
async fn known(connection: &mut SqliteConnection, epoch: i64) -> Result<(bool, Vec<String>)> {
    let (is_known, properties): (bool, String) =
        sqlx::query_as("SELECT conflicts_known, id_properties FROM epochs WHERE number = ?")
            .bind(epoch)
            .fetch_one(connection)
            .await
            .map_err(sql)?;
    Ok((is_known, customers_of(&properties)?))
}

impl SqliteStore {
    /// Looks for conflicts among all links, unless they are kept.
    pub(super) async fn look_for_conflicts(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let (is_known, customers) = known(&mut tx, epoch).await?;
        if is_known {
            return Ok(());
        }
        sqlx::query("DELETE FROM identity_conflicts WHERE epoch = ?")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO identity_conflicts (epoch, person_id) SELECT ?1, person_id FROM ({AMONG_ALL})"
        )))
        .bind(epoch)
        .bind(to_json(&customers)?)
        .bind(None::<Uuid>)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        sqlx::query("UPDATE epochs SET conflicts_known = true WHERE number = ?")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await.map_err(sql)
    }
}
