//! What a run must know of the PostHog project: from the last check, else asked.

use domain::check::{OptionalScope, ProjectSummary};
use domain::storage::ConnectionRecord;

use crate::error::SyncError;
use crate::session::Session;

/// The project, and what else of it may be read.
pub(crate) struct Project {
    pub(crate) summary: ProjectSummary,
    pub(crate) definitions_readable: bool,
    pub(crate) cohorts_readable: bool,
    /// What the key may do; unknown before a check.
    pub(crate) scopes: Option<Vec<String>>,
}

/// Takes the project from the last successful check of this epoch, else asks PostHog.
pub(crate) async fn project(
    session: &Session<'_>,
    record: &ConnectionRecord,
) -> Result<Project, SyncError> {
    let wanted = &session.settings.desired.epoch;
    if let Some(check) = record.check_of(wanted) {
        let missing = &check.key.missing_scopes;
        return Ok(Project {
            summary: check.project.clone(),
            definitions_readable: !missing.contains(&OptionalScope::EventDefinitionRead),
            cohorts_readable: !missing.contains(&OptionalScope::CohortRead),
            scopes: Some(check.key.scopes.clone()),
        });
    }
    let client = &session.ctx.client;
    Ok(Project {
        summary: session.asker.ask(|| client.project()).await?,
        definitions_readable: true,
        cohorts_readable: true,
        scopes: None,
    })
}
