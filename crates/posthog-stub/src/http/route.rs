//! Paths to endpoints. The trailing slash is optional everywhere (POSTHOG.md 1.6).

use super::fault::Endpoint;

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The list of keys or one key; only `@current` can be read by a key.
    Key(Option<String>),
    /// The list of projects.
    Projects,
    /// One project by its id as written.
    Project(String),
    /// `/query/`, or one asynchronous query.
    Query {
        project: String,
        kind: Option<String>,
    },
    EventDefinitions {
        project: String,
    },
    Cohorts {
        project: String,
    },
    /// The file exports of a project, one of them, or one's file by its id or place.
    Exports {
        project: String,
    },
    Export {
        project: String,
        id: String,
    },
    ExportFile {
        project: String,
        id: String,
        part: Option<String>,
    },
    Unknown,
}

impl Route {
    pub(crate) fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            ["api", "personal_api_keys"] => Self::Key(None),
            ["api", "personal_api_keys", id] => Self::Key(Some((*id).to_owned())),
            ["api", "projects"] => Self::Projects,
            ["api", "projects", id] => Self::Project((*id).to_owned()),
            ["api", "projects" | "environments", id, rest @ ..] => Self::nested(id, rest),
            _ => Self::Unknown,
        }
    }

    fn nested(id: &str, rest: &[&str]) -> Self {
        let project = id.to_owned();
        match rest {
            ["query"] => Self::Query {
                project,
                kind: None,
            },
            ["query", kind] => Self::Query {
                project,
                kind: Some((*kind).to_owned()),
            },
            ["event_definitions"] => Self::EventDefinitions { project },
            ["cohorts"] => Self::Cohorts { project },
            ["file_download_batch_exports"] => Self::Exports { project },
            ["file_download_batch_exports", id] => Self::Export {
                project,
                id: (*id).to_owned(),
            },
            ["file_download_batch_exports", id, "download", part @ ..] if part.len() < 2 => {
                Self::ExportFile {
                    project,
                    id: (*id).to_owned(),
                    part: part.first().map(|&part| part.to_owned()),
                }
            }
            _ => Self::Unknown,
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Key(_) => Endpoint::CurrentKey,
            Self::Project(_) => Endpoint::Project,
            Self::Query { .. } => Endpoint::Query,
            Self::EventDefinitions { .. } => Endpoint::EventDefinitions,
            Self::Cohorts { .. } => Endpoint::Cohorts,
            Self::Exports { .. } => Endpoint::Exports,
            Self::Export { .. } => Endpoint::ExportState,
            Self::ExportFile { .. } => Endpoint::ExportFile,
            Self::Projects | Self::Unknown => Endpoint::Other,
        }
    }
}
