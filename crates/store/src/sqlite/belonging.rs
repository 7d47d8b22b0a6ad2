//! To whom distinct ids belong, by the last link of each, which may have ended; and to whom they ever did.

use std::collections::BTreeSet;

use domain::storage::Result;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;

use super::erasing::{IDS, of_ids};
use super::errors::sql;
use super::rows::{batches, list_sql};

/// Whatever link `own` is.
const ANY: &str = "true";

/// Whether `own` is the last link of its distinct id. The one that holds is always the last: links are
/// numbered as they begin.
const IS_LAST: &str = "NOT EXISTS (
    SELECT 1 FROM person_links AS later INDEXED BY person_links_in_order
    WHERE later.epoch = own.epoch AND later.distinct_id = own.distinct_id AND later.link > own.link)";

/// The distinct ids that belong to these persons.
pub(super) async fn ids_of(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for person in persons {
        found.extend(ids_linked(connection, epoch, *person, IS_LAST).await?);
    }
    Ok(found)
}

/// The distinct ids that lead to a person or have led to it.
pub(super) async fn ids_ever_of(
    connection: &mut SqliteConnection,
    epoch: i64,
    person: Uuid,
) -> Result<BTreeSet<String>> {
    ids_linked(connection, epoch, person, ANY).await
}

/// The persons to whom these distinct ids belong.
pub(super) async fn persons_of(
    connection: &mut SqliteConnection,
    epoch: i64,
    ids: &[String],
) -> Result<BTreeSet<Uuid>> {
    persons_linked(connection, epoch, ids, IS_LAST).await
}

/// The persons to whom these distinct ids lead or have led.
pub(super) async fn persons_ever_of(
    connection: &mut SqliteConnection,
    epoch: i64,
    ids: &[String],
) -> Result<BTreeSet<Uuid>> {
    persons_linked(connection, epoch, ids, ANY).await
}

/// The distinct ids that are linked to a person, and those that were by such a link.
async fn ids_linked(
    connection: &mut SqliteConnection,
    epoch: i64,
    person: Uuid,
    ended: &str,
) -> Result<BTreeSet<String>> {
    // In two parts, for there is an index of links that have ended and one of those that have not.
    let text = format!(
        "SELECT distinct_id FROM person_links
         WHERE epoch = ?1 AND person_id = ?2 AND valid_to IS NULL
         UNION ALL
         SELECT distinct_id FROM person_links AS own
         WHERE epoch = ?1 AND person_id = ?2 AND valid_to IS NOT NULL AND {ended}"
    );
    let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(epoch)
        .bind(person)
        .fetch_all(connection)
        .await
        .map_err(sql)?;
    Ok(ids.into_iter().collect())
}

/// The persons to whom such links of these distinct ids lead.
async fn persons_linked(
    connection: &mut SqliteConnection,
    epoch: i64,
    ids: &[String],
    links: &str,
) -> Result<BTreeSet<Uuid>> {
    let mut found = BTreeSet::new();
    for batch in batches(ids, IDS) {
        let before = format!(
            "SELECT DISTINCT person_id FROM person_links AS own
             WHERE {links} AND epoch = ? AND distinct_id IN"
        );
        let text = list_sql(&before, batch.len(), "");
        let persons: Vec<Uuid> =
            sqlx::query_scalar_with(text, of_ids(epoch, batch)?.into_arguments())
                .fetch_all(&mut *connection)
                .await
                .map_err(sql)?;
        found.extend(persons);
    }
    Ok(found)
}
