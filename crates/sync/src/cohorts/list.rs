//! PostHog's list of cohorts.

use std::collections::BTreeMap;

use domain::check::OptionalScope;
use domain::cohorts::{Cohort, CohortId, CohortSelection, listed_cohorts};

use super::read::Reader;
use crate::error::SyncError;
use crate::project::Project;

impl Reader<'_> {
    /// The cohorts that are wanted as PostHog lists them; none when they may not be listed.
    pub(super) async fn list(
        &mut self,
        project: &Project,
    ) -> Result<Option<Vec<Cohort>>, SyncError> {
        if self.session.settings.cohorts == CohortSelection::None {
            return Ok(Some(Vec::new()));
        }
        if !project.cohorts_readable {
            let scope = OptionalScope::CohortRead;
            let problem = format!(
                "the API key lacks the scope {}: without it, {}",
                scope.as_str(),
                scope.loss()
            );
            tracing::info!(problem, "Cohorts are not read.");
            self.summary.problem = Some(problem);
            return Ok(None);
        }
        self.listed().await.map(Some)
    }

    /// The cohorts that PostHog lists. Where the list has several pages, one that is known is only taken for
    /// gone when a second list lacks it too: if another was deleted between two pages, it was on neither.
    async fn listed(&self) -> Result<Vec<Cohort>, SyncError> {
        let (client, store) = (&self.session.ctx.client, &self.session.ctx.store);
        let list = self.session.asker.ask(|| client.cohorts()).await?;
        if list.pages == 1 {
            return Ok(list.cohorts);
        }
        let by_id = |cohort: Cohort| (cohort.id, cohort);
        let mut listed: BTreeMap<CohortId, Cohort> = list.cohorts.into_iter().map(by_id).collect();
        let known = listed_cohorts(&**store, self.session.id).await?;
        if !known.iter().all(|it| listed.contains_key(&it.cohort.id)) {
            tracing::debug!("Cohorts are missing from PostHog's list: it is asked for again.");
            let again = self.session.asker.ask(|| client.cohorts()).await?;
            listed.extend(again.cohorts.into_iter().map(by_id));
        }
        Ok(listed.into_values().collect())
    }
}
