//! What can be asked of PostHog: four REST reads, a query, and file exports.

use bytes::Bytes;
use domain::ProjectId;
use domain::sync::Window;
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::instant::bound;
use crate::queries::Query;

/// Definitions in one answer.
pub(crate) const DEFINITIONS_A_PAGE: usize = 500;
/// About so large PostHog makes each file of an export, packed, in MiB. What a killed run has to fetch
/// again is one of them.
const EXPORT_FILE_MIB: u32 = 64;
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
    /// A file export of a project.
    Export(ProjectId),
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
    /// What a success looks like.
    pub(crate) success: Success,
}

/// What a success looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Success {
    /// This status, with a body.
    Status(StatusCode),
    /// A redirect to where the body is, which is fetched without the key.
    File,
}

const OK: Success = Success::Status(StatusCode::OK);

impl Request {
    /// The key looks at itself: the one read that every valid key may do (POSTHOG.md 3.2).
    pub(crate) fn key() -> Self {
        Self {
            path: "/api/personal_api_keys/@current/".to_owned(),
            body: None,
            name: "the key check",
            subject: Subject::Key,
            success: OK,
        }
    }

    /// The project.
    pub(crate) fn project(project: ProjectId) -> Self {
        Self {
            path: format!("/api/projects/{project}/"),
            body: None,
            name: "the project check",
            subject: Subject::Project(project),
            success: OK,
        }
    }

    /// A page of event definitions, by name: PostHog's own order changes with each event, and then the next
    /// page would lack one (POSTHOG.md 3.1).
    pub(crate) fn event_definitions(project: ProjectId, offset: usize) -> Self {
        Self {
            path: format!(
                "/api/projects/{project}/event_definitions/?ordering=name&limit={DEFINITIONS_A_PAGE}&offset={offset}"
            ),
            body: None,
            name: "event definitions",
            subject: Subject::Project(project),
            success: OK,
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
            success: OK,
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
            success: OK,
        }
    }

    /// Starts an export of the events that PostHog received in a range of a week at most, which does
    /// not end in the future (PostHog/posthog, `products/batch_exports/backend/presentation/views/
    /// file_download.py`: FileDownloadBatchExportOnDemandSerializer).
    pub(crate) fn start_export(project: ProjectId, received: Window) -> Self {
        let instant = |at| format!("{}Z", bound(at).replace(' ', "T"));
        let body = json!({
            "model": "events",
            "file": {
                "format": "JSONLines",
                "compression": "gzip",
                "max_size_mb": EXPORT_FILE_MIB,
            },
            "data_interval_start": instant(received.from),
            "data_interval_end": instant(received.to),
        });
        Self {
            path: format!("/api/projects/{project}/file_download_batch_exports/"),
            body: Some(Bytes::from(body.to_string())),
            name: "a file export",
            subject: Subject::Export(project),
            success: Success::Status(StatusCode::ACCEPTED),
        }
    }

    /// How far an export is.
    pub(crate) fn export(project: ProjectId, export: Uuid) -> Self {
        Self {
            path: format!("/api/projects/{project}/file_download_batch_exports/{export}/"),
            body: None,
            name: "a file export's state",
            subject: Subject::Export(project),
            success: OK,
        }
    }

    /// A file of an export.
    pub(crate) fn export_file(project: ProjectId, export: Uuid, file: Uuid) -> Self {
        Self {
            path: format!(
                "/api/projects/{project}/file_download_batch_exports/{export}/download/{file}/"
            ),
            body: None,
            name: "a file of an export",
            subject: Subject::Export(project),
            success: Success::File,
        }
    }

    pub(crate) fn is_query(&self) -> bool {
        matches!(self.subject, Subject::Query(_))
    }
}
