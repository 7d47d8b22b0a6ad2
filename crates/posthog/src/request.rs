//! What can be asked of PostHog: four REST reads and a query.

use bytes::Bytes;
use domain::ProjectId;
use serde_json::json;

use crate::queries::Query;

/// Definitions in one answer.
pub(crate) const DEFINITIONS_A_PAGE: usize = 500;
/// Cohorts in one answer. Each comes with its definition, which may be long.
pub(crate) const COHORTS_A_PAGE: usize = 200;

/// What a request is about; it decides what a "not found" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The key itself.
    Key,
    /// Something of a project.
    Project(ProjectId),
    /// A query over a project.
    Query(ProjectId),
}

/// One request, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Path and query after the host.
    pub(crate) path: String,
    /// The JSON body of a POST; a GET without one.
    pub(crate) body: Option<Bytes>,
    /// What it is called in messages and logs.
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) subject: Subject,
}

impl Request {
    /// The key looks at itself: the one read that every valid key may do (POSTHOG.md 3.2).
    pub(crate) fn key() -> Self {
        Self {
            path: "/api/personal_api_keys/@current/".to_owned(),
            body: None,
            name: "the key check",
            subject: Subject::Key,
        }
    }

    /// The project.
    pub(crate) fn project(project: ProjectId) -> Self {
        Self {
            path: format!("/api/projects/{project}/"),
            body: None,
            name: "the project check",
            subject: Subject::Project(project),
        }
    }

    /// A page of event definitions.
    pub(crate) fn event_definitions(project: ProjectId, offset: usize) -> Self {
        Self {
            path: format!(
                "/api/projects/{project}/event_definitions/?limit={DEFINITIONS_A_PAGE}&offset={offset}"
            ),
            body: None,
            name: "event definitions",
            subject: Subject::Project(project),
        }
    }

    /// A page of cohorts.
    pub(crate) fn cohorts(project: ProjectId, offset: usize) -> Self {
        Self {
            path: format!(
                "/api/projects/{project}/cohorts/?limit={COHORTS_A_PAGE}&offset={offset}"
            ),
            body: None,
            name: "cohorts",
            subject: Subject::Project(project),
        }
    }

    /// A query, computed anew: the default would serve answers of up to 6 hours ago, and in the
    /// project's time zone (POSTHOG.md 5.2, 5.6).
    pub(crate) fn query(project: ProjectId, query: &Query) -> Self {
        let body = json!({
            "query": {
                "kind": "HogQLQuery",
                "query": query.text,
                "values": query.values,
                "modifiers": { "convertToProjectTimezone": false },
            },
            "refresh": "force_blocking",
            "name": format!("ordinary_posthog_{}", query.name()),
        });
        Self {
            path: format!("/api/projects/{project}/query/"),
            body: Some(Bytes::from(body.to_string())),
            name: query.name(),
            subject: Subject::Query(project),
        }
    }

    pub(crate) fn is_query(&self) -> bool {
        matches!(self.subject, Subject::Query(_))
    }
}
