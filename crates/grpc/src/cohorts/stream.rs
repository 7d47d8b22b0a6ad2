//! StreamCohortChanges: who comes into cohorts and leaves them, resumable after any message.
//!
//! A stay in a cohort is told twice, by the number of its beginning and by that of its end, so that a
//! stream's place is one number. Retention removes stays that ended long ago, both their changes at
//! once: whoever was told of the beginning alone would never learn of the end, and must begin again.
//! An erasure removes all of a person's stays, and is itself told from then on.

use std::collections::BTreeSet;

use domain::ConnectionName;
use domain::cohorts::CohortId;
use domain::storage::{CohortHistory, EpochRecord};
use serde::{Deserialize, Serialize};

use super::CohortServer;
use crate::answer::cohort_change;
use crate::check::{check_cohorts, check_connection};
use crate::deadline::Deadline;
use crate::errors::ApiError;
use crate::following::{CHANGES_AT_ONCE, Changes, Follower, no_such_start, tell_each};
use crate::proto::v1;
use crate::proto::v1::stream_cohort_changes_request::Start;
use crate::reads::ReadStore;
use crate::token::Scope;

/// A follower's place among the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Everything up to this change was told.
    #[serde(rename = "s")]
    seq: i64,
    /// What was removed up to this change, was removed before the stream began.
    #[serde(rename = "f")]
    forgotten: i64,
}

impl Place {
    /// Whether the follower may hold somebody whose leaving can not be told any more, or the history
    /// is another one: the store was restored or purged.
    fn is_lost(self, history: CohortHistory) -> bool {
        let misses = history.forgotten > self.forgotten && history.forgotten > self.seq;
        misses || self.seq > history.latest
    }
}

/// The changes of the cohorts that one follower wants.
pub(super) struct CohortChanges {
    name: ConnectionName,
    /// All when empty.
    wanted: BTreeSet<CohortId>,
    scope: Scope,
    place: Place,
}

impl<S: ReadStore + ?Sized + 'static> CohortServer<S> {
    pub(super) async fn follow(
        &self,
        mut request: v1::StreamCohortChangesRequest,
        deadline: Option<Deadline>,
    ) -> Result<Follower<S, CohortChanges>, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let wanted = check_cohorts(&name, &request.cohorts)?;
        let start = Start::try_from(request.start).map_err(|_| no_such_start(request.start))?;
        let token = std::mem::take(&mut request.resume_token);
        request.start = Start::Unspecified.into();

        let readable = self.reads.open(&name).await?;
        let epoch = &readable.epoch;
        let scope = Scope::resume("StreamCohortChanges", &request, epoch);
        let history = self.reads.store.cohort_history(epoch.id).await?;
        let place: Option<Place> = self.reads.cursor(&scope, &token).await?;
        let place = match place {
            Some(place) if place.is_lost(history) => return Err(scope.stale()),
            Some(place) => place,
            None => Place {
                seq: if start == Start::Now {
                    history.latest
                } else {
                    0
                },
                forgotten: history.forgotten,
            },
        };
        let changes = CohortChanges {
            name,
            wanted,
            scope: scope.clone(),
            place,
        };
        Ok(Follower::new(
            self.reads.clone(),
            readable,
            scope,
            changes,
            deadline,
        ))
    }
}

impl<S: ReadStore + ?Sized + 'static> Changes<S> for CohortChanges {
    type Change = v1::CohortChange;
    type Message = v1::StreamCohortChangesResponse;
    type Place = Place;

    async fn read(
        &mut self,
        store: &S,
        epoch: &EpochRecord,
    ) -> Result<(Vec<v1::CohortChange>, bool), ApiError> {
        let changes = store
            .cohort_changes(epoch.id, self.place.seq, CHANGES_AT_ONCE)
            .await?;
        // Afterwards, so that nothing can have gone before it was read.
        if self.place.is_lost(store.cohort_history(epoch.id).await?) {
            return Err(self.scope.stale());
        }
        Ok(tell_each(changes, |change| {
            self.place.seq = change.seq;
            // Who was erased may have been in any cohort.
            let cohort = change.kind.cohort();
            let wanted =
                self.wanted.is_empty() || cohort.is_none_or(|it| self.wanted.contains(&it));
            wanted.then(|| cohort_change(&self.name, change))
        }))
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn message(
        &self,
        changes: Vec<v1::CohortChange>,
        resume_token: String,
        caught_up: bool,
    ) -> v1::StreamCohortChangesResponse {
        v1::StreamCohortChangesResponse {
            changes,
            resume_token,
            caught_up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lost(seq: i64, forgotten: i64, history: (i64, i64)) -> bool {
        let (latest, now) = history;
        Place { seq, forgotten }.is_lost(CohortHistory {
            latest,
            forgotten: now,
        })
    }

    #[test]
    fn a_follower_is_lost_when_what_it_has_yet_to_be_told_is_gone() {
        assert!(!is_lost(0, 0, (10, 0)));
        assert!(is_lost(5, 0, (10, 7)));
        // It was told of that end already, or began after it was gone.
        assert!(!is_lost(7, 0, (10, 7)));
        assert!(!is_lost(5, 7, (10, 7)));
        assert!(is_lost(5, 7, (10, 8)));
        assert!(is_lost(11, 0, (10, 0)));
    }
}
