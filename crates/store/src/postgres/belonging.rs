//! To whom distinct ids belong: by the last link of each, which may have ended.

use std::collections::BTreeSet;

use domain::storage::Result;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::erasing::OF_IDS;
use super::errors::sql;
use super::statement::query_scalar;

/// Whether `own` is the last link of its distinct id. The one that holds is always the last: links are
/// numbered as they begin.
const IS_LAST: &str = "NOT EXISTS (SELECT 1 FROM person_links AS later WHERE later.epoch = $1
    AND left(later.distinct_id, 500) = left(own.distinct_id, 500)
    AND hashtextextended(later.distinct_id, 0) = hashtextextended(own.distinct_id, 0)
    AND later.distinct_id = own.distinct_id AND later.link > own.link)";

/// The distinct ids that belong to these persons.
pub(super) async fn ids_of(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
) -> Result<BTreeSet<String>> {
    // In two parts, for there is an index of links that have ended and one of those that have not.
    let text = format!(
        "SELECT distinct_id FROM person_links
         WHERE epoch = $1 AND person_id = ANY($2) AND valid_to IS NULL
         UNION ALL
         SELECT distinct_id FROM person_links AS own
         WHERE epoch = $1 AND person_id = ANY($2) AND valid_to IS NOT NULL AND {IS_LAST}"
    );
    let ids: Vec<String> = query_scalar(AssertSqlSafe(text))
        .bind(epoch)
        .bind(persons)
        .fetch_all(connection)
        .await
        .map_err(sql)?;
    Ok(ids.into_iter().collect())
}

/// The persons to whom these distinct ids belong.
pub(super) async fn persons_of(
    connection: &mut PgConnection,
    epoch: i64,
    ids: &[String],
) -> Result<BTreeSet<Uuid>> {
    let text =
        format!("SELECT DISTINCT person_id FROM person_links AS own WHERE {OF_IDS} AND {IS_LAST}");
    let persons: Vec<Uuid> = query_scalar(AssertSqlSafe(text))
        .bind(epoch)
        .bind(ids)
        .fetch_all(connection)
        .await
        .map_err(sql)?;
    Ok(persons.into_iter().collect())
}
