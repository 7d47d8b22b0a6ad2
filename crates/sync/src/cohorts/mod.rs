//! Keeps cohorts: PostHog's list each run, members only of cohorts that may have changed, and of
//! those only the parts that did.
//!
//! ```text
//! list ─▶ due? ─▶ digest of the whole ─▶ same: noted as read
//!                        │ differs
//!                        ├─ small: all members, several cohorts at once
//!                        └─ large: digests of buckets ─▶ members of those that differ
//! ```
//!
//! What is too heavy for PostHog is asked again in parts: fewer cohorts, then fewer buckets of one. A
//! cohort of which even a bucket is too heavy holds up no other.
//!
//! What is stored always has the digest that PostHog itself gave of it. Members that do not come to
//! that digest are of a cohort that changed meanwhile: they are not stored, and it is compared anew.

mod ask;
mod large;
mod list;
mod parts;
mod read;

use domain::cohorts::{CohortKind, is_due, standing_of};
use domain::storage::CohortRecord;

use self::read::Reader;
use crate::error::SyncError;
use crate::progress::Step;
use crate::project::Project;
use crate::session::Session;
use crate::summary::CohortSummary;

/// How often a cohort that changes while it is read is compared in one run.
const MOST_ROUNDS: usize = 3;

/// Brings all cohorts up to date. What PostHog refuses is told in the summary and costs the run
/// nothing: events go on without cohorts.
pub(crate) async fn follow(
    session: &Session<'_>,
    project: &Project,
) -> Result<CohortSummary, SyncError> {
    session.begin(Step::Cohorts)?;
    let mut reader = Reader::new(session);
    match reader.bring_up_to_date(project).await {
        Err(SyncError::PostHog(error)) => {
            tracing::warn!(%error, "Not all cohorts could be read: events go on without.");
            reader.summary.problem = Some(error.to_string());
        }
        done => done?,
    }
    Ok(reader.summary)
}

impl Reader<'_> {
    async fn bring_up_to_date(&mut self, project: &Project) -> Result<(), SyncError> {
        let Some(listed) = self.list(project).await? else {
            return Ok(());
        };
        let store = &self.session.ctx.store;
        let now = self.session.ctx.clock.now();
        let stored = store
            .put_cohorts(self.session.lease(), &listed, now)
            .await?;
        self.summary.listed = listed.len() as u64;
        for gone in stored.iter().filter(|it| it.deleted_at.is_some()) {
            self.empty(gone).await?;
        }
        for kind in CohortKind::ALL {
            let mut due: Vec<&CohortRecord> = stored
                .iter()
                .filter(|it| it.cohort.kind == kind && is_due(it, now))
                .collect();
            self.summary.compared += due.len() as u64;
            for _ in 0..MOST_ROUNDS {
                if due.is_empty() {
                    break;
                }
                due = self.compare(kind, due).await?;
            }
            self.summary.unsettled += due.len() as u64;
        }
        let standing = standing_of(&**store, self.session.id, now).await?;
        self.summary.failing = standing.failing;
        self.summary.problem = standing.problem;
        Ok(())
    }
}
