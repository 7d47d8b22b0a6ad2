//! Asks about several cohorts at once, and about fewer where that is too heavy for PostHog.

use std::collections::BTreeMap;
use std::future::Future;

use domain::cohorts::CohortId;
use domain::storage::CohortRecord;
use posthog::Error;

use super::parts::lighter;
use super::read::Reader;
use crate::error::SyncError;

/// Cohorts that were too heavy by themselves, after which larger ones are taken to be so too: where
/// PostHog answers nothing, two queries for each cohort would tell no more.
pub(super) const MOST_TOO_HEAVY: usize = 3;

/// How many members a cohort has, as far as PostHog said.
pub(super) fn size(record: &CohortRecord) -> u64 {
    record.cohort.mark.count.unwrap_or_default()
}

impl Reader<'_> {
    /// What PostHog answers about each of these cohorts, nothing being the default: the smallest first.
    /// None where a cohort is too heavy by itself.
    pub(super) async fn ask_about<T, F>(
        &self,
        records: &[&CohortRecord],
        request: impl Fn(Vec<CohortId>) -> F,
    ) -> Result<BTreeMap<CohortId, Option<T>>, SyncError>
    where
        T: Default,
        F: Future<Output = Result<BTreeMap<CohortId, T>, Error>>,
    {
        let mut answers = BTreeMap::new();
        let mut left = vec![records];
        let mut too_heavy = 0;
        while let Some(group) = left.pop() {
            let ids: Vec<CohortId> = group.iter().map(|it| it.cohort.id).collect();
            if too_heavy == MOST_TOO_HEAVY {
                answers.extend(ids.into_iter().map(|id| (id, None)));
                continue;
            }
            match self.session.asker.ask(|| request(ids.clone())).await {
                Ok(mut found) => {
                    let answer = |id| (id, Some(found.remove(&id).unwrap_or_default()));
                    answers.extend(ids.into_iter().map(answer));
                }
                Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                    tracing::debug!(%error, cohorts = group.len(), "Fewer cohorts are asked about.");
                    if let [alone] = ids[..] {
                        answers.insert(alone, None);
                        too_heavy += 1;
                    } else {
                        left.extend(lighter(group, |it| size(it)).into_iter().rev());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }
}
