//! What stored events could feed, and the names that a stage's event may have now. Of `$pageview` the store
//! tells how many are of product pages, for the name alone tells nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::renamed::{is_silent, renamed};
use super::resolve::{canonical, open, suggest};
use super::{KnownEvent, Mapping, NEWEST_LOOKED_AT, Suggestion};
use crate::connection::ConnectionId;
use crate::event::EventName;
use crate::stage::PostHogStage;
use crate::storage::{DailyEventCount, EventReader, StoreError};

/// The names that have events since the day `from`.
pub fn known_since(counts: &[DailyEventCount], from: Date) -> Vec<KnownEvent> {
    let mut seen: BTreeMap<&EventName, u64> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.day >= from) {
        *seen.entry(&count.name).or_default() += count.events;
    }
    seen.into_iter()
        .map(|(name, events)| KnownEvent {
            name: name.clone(),
            events,
        })
        .collect()
}

/// What the `known` events since `since` could feed beyond `mapping`. It changes nothing: only the merchant's
/// spec does.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn suggestions<R: EventReader + ?Sized>(
    reader: &R,
    id: ConnectionId,
    mapping: &Mapping,
    known: &[KnownEvent],
    since: Timestamp,
) -> Result<Vec<Suggestion>, StoreError> {
    let pageviews = product_pageviews(reader, id, mapping, known, since).await?;
    Ok(suggest(mapping, known, pageviews))
}

/// The stages of which no event came on the last [`SILENT_DAYS`](super::SILENT_DAYS) days while a suggested name
/// had at least [`MANY_EVENTS`](super::MANY_EVENTS), each with the most frequent such name. `known` and
/// `in_stage` are the events of these days, which begin at `since`.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn renamed_since<R: EventReader + ?Sized>(
    reader: &R,
    id: ConnectionId,
    mapping: &Mapping,
    known: &[KnownEvent],
    in_stage: &BTreeMap<PostHogStage, u64>,
    since: Timestamp,
) -> Result<BTreeMap<PostHogStage, EventName>, StoreError> {
    let pageviews = if is_silent(mapping, PostHogStage::ProductViewed, in_stage) {
        product_pageviews(reader, id, mapping, known, since).await?
    } else {
        0
    };
    let suggestions = suggest(mapping, known, pageviews);
    Ok(renamed(mapping, &suggestions, in_stage))
}

/// How many of the newest [`NEWEST_LOOKED_AT`] `$pageview`s since `since` are of product pages. 0,
/// without a question to the store, where that cannot matter: where `mapping` has the name, and
/// where it is not among the `known` events of that time.
async fn product_pageviews<R: EventReader + ?Sized>(
    reader: &R,
    id: ConnectionId,
    mapping: &Mapping,
    known: &[KnownEvent],
    since: Timestamp,
) -> Result<u64, StoreError> {
    let stage = PostHogStage::ProductViewed;
    let rule = canonical(stage);
    let is_sent = known
        .iter()
        .any(|event| event.name == rule.name && event.events > 0);
    if !is_sent || open(mapping, stage, &rule.name).is_none() {
        return Ok(0);
    }
    reader.count_taken(id, &rule, since, NEWEST_LOOKED_AT).await
}
