//! `$pageview`s of product pages that no rule names: what is stored tells whether they could feed
//! Product viewed, for their name alone does not.

use jiff::Timestamp;

use super::resolve::{canonical, open};
use super::{KnownEvent, Mapping, NEWEST_LOOKED_AT};
use crate::connection::ConnectionId;
use crate::stage::PostHogStage;
use crate::storage::{EventReader, StoreError};

/// How many of the newest [`NEWEST_LOOKED_AT`] `$pageview`s since `since` are of product pages. 0,
/// without a question to the store, where that cannot matter: where `mapping` has the name, and
/// where it is not among the `known` events of that time.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn product_pageviews<R: EventReader + ?Sized>(
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
