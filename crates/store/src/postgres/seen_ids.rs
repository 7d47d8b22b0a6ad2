//! Distinct ids that are a person's by their events alone. PostHog gives events of visitors without a profile
//! a person and maps their distinct ids to nobody, and readers are answered the person of the event.

use std::collections::BTreeSet;

use domain::storage::Result;
use sqlx::PgConnection;
use uuid::Uuid;

use super::errors::sql;
use super::statement::query_scalar;
use crate::seen_ids::SeenIds;

/// Looks at the events that were written after `seen` for those that name one of these persons.
///
/// The first look reads every event of the epoch, less than a second for a million in memory, and else as
/// fast as the disk gives them: by person there is no index, for each event that comes in would have to write
/// to a random place of it, and erasures are rare. So nobody's writes should wait for the first look; a
/// second one is short enough for a lock.
pub(super) async fn look(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
    mut seen: SeenIds,
) -> Result<SeenIds> {
    if persons.is_empty() {
        return Ok(seen);
    }
    let change_seq = query_scalar("SELECT change_seq FROM epochs WHERE number = $1")
        .bind(epoch)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    let ids: Vec<String> = query_scalar(
        "SELECT DISTINCT distinct_id FROM events
         WHERE epoch = $1 AND change_seq > $2 AND person_id = ANY($3)",
    )
    .bind(epoch)
    .bind(seen.change_seq)
    .bind(persons)
    .fetch_all(connection)
    .await
    .map_err(sql)?;
    seen.ids.extend(ids);
    seen.change_seq = change_seq;
    Ok(seen)
}

/// The distinct ids whose events readers are answered with one of these persons because nobody has the ids
/// now: those seen, and those of events that were written after.
pub(super) async fn of(
    connection: &mut PgConnection,
    epoch: i64,
    persons: &[Uuid],
    seen: SeenIds,
) -> Result<BTreeSet<String>> {
    let seen = look(connection, epoch, persons, seen).await?;
    let ids: Vec<String> = seen.ids.into_iter().collect();
    let ids: Vec<String> = query_scalar(
        "SELECT u.id FROM unnest($2::text[]) AS u (id)
         WHERE NOT EXISTS (SELECT 1 FROM person_links AS l
            WHERE l.epoch = $1 AND left(l.distinct_id, 500) = left(u.id, 500)
                AND hashtextextended(l.distinct_id, 0) = hashtextextended(u.id, 0)
                AND l.distinct_id = u.id AND l.valid_to IS NULL)",
    )
    .bind(epoch)
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(sql)?;
    Ok(ids.into_iter().collect())
}
