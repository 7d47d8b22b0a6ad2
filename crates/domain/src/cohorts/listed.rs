//! All cohorts of a connection.

use crate::connection::ConnectionId;
use crate::storage::{CohortReader, CohortRecord, StoreError};

/// Cohorts that are looked up at once.
const AT_ONCE: usize = 1_000;

/// Every stored cohort of a connection that PostHog listed when it was last asked, by id.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn listed_cohorts<R: CohortReader + ?Sized>(
    reader: &R,
    id: ConnectionId,
) -> Result<Vec<CohortRecord>, StoreError> {
    let mut all: Vec<CohortRecord> = Vec::new();
    loop {
        let after = all.last().map(|it| it.cohort.id);
        let page = reader.cohorts(id, false, after, AT_ONCE).await?;
        let is_last = page.len() < AT_ONCE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
