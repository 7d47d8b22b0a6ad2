//! Distinct ids that are a person's by their events alone. PostHog gives events of visitors without a profile
//! a person and maps their distinct ids to nobody, and readers are answered the person of the event.

use std::collections::BTreeSet;

use domain::storage::Result;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::erasing::{IDS, of_ids};
use super::errors::sql;
use super::rows::{Parameters, batches, list_sql};
use crate::seen_ids::SeenIds;

/// Persons looked for at once: each time all events are read.
const PERSONS: usize = 16_384;

/// Looks at the events that were written after `seen` for those that name one of these persons.
///
/// The first look reads every event of the file, less than a second for a million in memory, and else as fast
/// as the disk gives them: by person there is no index, for each event that comes in would have to write to a
/// random place of it, and erasures are rare. So nobody's writes should wait for the first look; a second one
/// is short enough for a lock.
pub(super) async fn look(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
    mut seen: SeenIds,
) -> Result<SeenIds> {
    if persons.is_empty() {
        return Ok(seen);
    }
    let change_seq = sqlx::query_scalar("SELECT change_seq FROM epochs WHERE number = ?")
        .bind(epoch)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    // Through an index of the epoch every row would be looked up where it lies by itself.
    let way = if seen.change_seq == 0 {
        "NOT INDEXED"
    } else {
        "INDEXED BY events_by_change"
    };
    for batch in batches(persons, PERSONS) {
        let mut parameters = Parameters::with_capacity(2 + batch.len());
        parameters.add(epoch)?;
        parameters.add(seen.change_seq)?;
        for person in batch {
            parameters.add(*person)?;
        }
        let before = format!(
            "SELECT DISTINCT distinct_id FROM events {way}
             WHERE epoch = ? AND change_seq > ? AND person_id IN"
        );
        let text = list_sql(&before, batch.len(), "");
        let ids: Vec<String> = sqlx::query_scalar_with(text, parameters.into_arguments())
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
        seen.ids.extend(ids);
    }
    seen.change_seq = change_seq;
    Ok(seen)
}

/// The distinct ids whose events readers are answered with one of these persons because nobody has the ids
/// now: those seen, and those of events that were written after.
pub(super) async fn of(
    connection: &mut SqliteConnection,
    epoch: i64,
    persons: &[Uuid],
    seen: SeenIds,
) -> Result<BTreeSet<String>> {
    let mut seen = look(connection, epoch, persons, seen).await?;
    let ids: Vec<String> = seen.ids.iter().cloned().collect();
    for batch in batches(&ids, IDS) {
        let text = list_sql(
            "SELECT distinct_id FROM person_links INDEXED BY person_links_current
             WHERE valid_to IS NULL AND epoch = ? AND distinct_id IN",
            batch.len(),
            "",
        );
        let held: Vec<String> =
            sqlx::query_scalar_with(text, of_ids(epoch, batch)?.into_arguments())
                .fetch_all(&mut *connection)
                .await
                .map_err(sql)?;
        for id in &held {
            seen.ids.remove(id);
        }
    }
    Ok(seen.ids)
}
