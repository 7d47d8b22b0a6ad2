//! What "Save and test" asks: the key, the project, the latest event.

use domain::check::{LatestEvent, ProjectSummary};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{Client, KeyInfo};
use crate::error::Error;
use crate::queries;
use crate::request::Request;

/// How far back the latest event is looked for, step by step: most projects answer at the first, and
/// only one without recent events has its whole history looked through.
const LOOKBACKS: [SignedDuration; 3] = [
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(30 * 24),
];

#[derive(Debug, Deserialize)]
struct KeyDocument {
    label: Option<String>,
    mask_value: Option<String>,
    /// Null for keys from before scopes existed, which may do everything.
    #[serde(deserialize_with = "Option::deserialize")]
    scopes: Option<Vec<String>>,
    scoped_teams: Option<Vec<i64>>,
}

#[derive(Debug, Deserialize)]
struct ProjectDocument {
    id: i64,
    name: String,
    timezone: String,
    event_retention_months: Option<Value>,
}

impl Client {
    /// What PostHog says of the key; works with every valid key, whatever its scopes.
    ///
    /// # Errors
    /// [`Error::InvalidApiKey`] first of all.
    pub async fn key_info(&self) -> Result<KeyInfo, Error> {
        let key: KeyDocument = self.transport.document(&Request::key()).await?;
        Ok(KeyInfo {
            label: key.label.unwrap_or_default(),
            masked_value: key.mask_value.unwrap_or_default(),
            scopes: key.scopes.unwrap_or_else(|| vec!["*".to_owned()]),
            scoped_teams: key.scoped_teams.filter(|teams| !teams.is_empty()),
        })
    }

    /// The project behind the connection; needs `project:read`.
    ///
    /// # Errors
    /// [`Error::ProjectNotFound`], [`Error::NoProjectAccess`], [`Error::MissingScope`] among others.
    pub async fn project(&self) -> Result<ProjectSummary, Error> {
        let request = Request::project(self.project_id());
        let project: ProjectDocument = self.transport.document(&request).await?;
        if project.id != self.project_id().get() {
            return Err(Error::Malformed {
                request: request.name.to_owned(),
                reason: format!("it is about project {}", project.id),
            });
        }
        Ok(ProjectSummary {
            id: project.id,
            name: project.name,
            time_zone: project.timezone,
            event_retention_months: project
                .event_retention_months
                .and_then(|months| months.as_u64())
                .and_then(|months| u32::try_from(months).ok()),
        })
    }

    /// The newest event not after `now`; none when there is none at all, or when none is of the last
    /// 30 days and PostHog finds the whole history too heavy to look through. Events of the future,
    /// which PostHog keeps up to 23 hours ahead, are not it.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn latest_event(&self, now: Timestamp) -> Result<Option<LatestEvent>, Error> {
        let mut until = now;
        let starts = LOOKBACKS
            .into_iter()
            .map(|back| now.saturating_sub(back).unwrap_or(Timestamp::UNIX_EPOCH))
            .chain([Timestamp::UNIX_EPOCH]);
        for from in starts {
            let query = queries::latest_event(from, until);
            let asked = self
                .transport
                .rows(&query, |row| {
                    Ok(LatestEvent {
                        name: row.text()?,
                        timestamp: row.instant()?,
                    })
                })
                .await;
            let found = match asked {
                Err(error) if from == Timestamp::UNIX_EPOCH && error.wants_smaller_query() => {
                    return Ok(None);
                }
                asked => asked?,
            };
            if let Some(latest) = found.into_iter().next() {
                return Ok(Some(latest));
            }
            until = from;
        }
        Ok(None)
    }
}
