//! From an answer that is not a success to an [`Error`]: by PostHog's `code`, not by the status,
//! which for one and the same fault differs between endpoints (POSTHOG.md 2.4).

use std::time::Duration;

use domain::ApiHost;
use serde::Deserialize;

use crate::error::{Error, ThrottleKind};
use crate::request::{Request, Subject};

/// PostHog's own words are quoted up to this many characters.
const LONGEST_QUOTE: usize = 300;

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    pub(crate) host: &'a ApiHost,
    pub(crate) request: &'a Request,
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// The body, or its beginning.
    pub(crate) body: &'a [u8],
}

/// The form of every error of PostHog's REST framework (POSTHOG.md 2.2).
#[derive(Debug, Deserialize)]
struct Envelope {
    code: Option<String>,
    detail: Option<serde_json::Value>,
}

impl Refusal<'_> {
    pub(crate) fn into_error(self) -> Error {
        let envelope = serde_json::from_slice::<Envelope>(self.body).ok();
        let code = envelope.as_ref().and_then(|it| it.code.as_deref());
        let detail = envelope
            .as_ref()
            .and_then(|it| it.detail.as_ref())
            .map(|detail| match detail {
                serde_json::Value::String(text) => quote(text),
                other => quote(&other.to_string()),
            })
            .unwrap_or_default();
        match code {
            Some(code) => self.by_code(code, detail),
            None => self.by_status(detail),
        }
    }

    fn by_code(self, code: &str, detail: String) -> Error {
        match code {
            "authentication_failed" | "not_authenticated" => Error::InvalidApiKey {
                host: self.host.clone(),
            },
            "permission_denied" => self.denied(detail),
            "not_found" => self.not_found(&detail),
            "api_queries_budget_exceeded" => self.throttled(ThrottleKind::Budget),
            "api_queries_quota_exceeded" | "quota_limited" => Error::QuotaExceeded,
            "too_many_concurrent_file_downloads" => Error::ExportsBusy,
            "throttled" => self.throttled(self.throttle_kind(&detail)),
            "too_many_bytes" | "clickhouse_memory_limit_exceeded" => Error::QueryTooHeavy {
                status: self.status,
                detail,
            },
            _ if self.status == 400 && self.request.is_query() => Error::QueryRejected {
                code: quote(code),
                detail,
            },
            _ if self.decided_by_status() => self.by_status(detail),
            _ => Error::Refused {
                host: self.host.to_string(),
                request: self.request.name.to_owned(),
                status: self.status,
                code: quote(code),
                detail,
            },
        }
    }

    fn decided_by_status(&self) -> bool {
        matches!(self.status, 402 | 429 | 500..)
    }

    fn by_status(self, detail: String) -> Error {
        match self.status {
            402 => Error::QuotaExceeded,
            429 => self.throttled(self.throttle_kind(&detail)),
            504 | 512 | 513 if self.request.is_query() => Error::QueryTooHeavy {
                status: self.status,
                detail,
            },
            500.. => Error::Unavailable {
                status: self.status,
                detail,
                retry_after: self.retry_after,
            },
            status => Error::NotPostHog {
                host: self.host.to_string(),
                reason: format!("status {status} without PostHog's form of an error"),
            },
        }
    }

    /// All three kinds come as 429; the concurrency limit names no time to come back
    /// (POSTHOG.md 5.7, 6).
    fn throttle_kind(&self, detail: &str) -> ThrottleKind {
        if self.retry_after.is_some()
            || !self.request.is_query()
            || detail.starts_with("Request was throttled")
        {
            ThrottleKind::Rate
        } else {
            ThrottleKind::Concurrency
        }
    }

    fn throttled(&self, kind: ThrottleKind) -> Error {
        Error::Throttled {
            retry_after: self.retry_after,
            kind,
        }
    }

    /// One code for a missing scope and for a project out of reach: only the words differ
    /// (POSTHOG.md 2.3).
    fn denied(self, detail: String) -> Error {
        if let Some(scope) = missing_scope(&detail) {
            return Error::MissingScope {
                scope: scope.to_owned(),
            };
        }
        match self.request.subject {
            Subject::Project(project) | Subject::Query(project) | Subject::Export(project) => {
                Error::NoProjectAccess {
                    project,
                    reason: detail,
                }
            }
            Subject::Key => Error::Refused {
                host: self.host.to_string(),
                request: self.request.name.to_owned(),
                status: self.status,
                code: "permission_denied".to_owned(),
                detail,
            },
        }
    }

    fn not_found(self, detail: &str) -> Error {
        match self.request.subject {
            Subject::Export(_)
                if !detail.starts_with("Endpoint") && !detail.starts_with("Project") =>
            {
                Error::ExportFailed {
                    status: "Missing".to_owned(),
                    detail: "PostHog does not know it any more".to_owned(),
                }
            }
            Subject::Project(project) | Subject::Query(project) | Subject::Export(project)
                if !detail.starts_with("Endpoint") =>
            {
                Error::ProjectNotFound {
                    project,
                    host: self.host.clone(),
                }
            }
            _ => Error::NotPostHog {
                host: self.host.to_string(),
                reason: format!("it has no {}, so it may be too old", self.request.path),
            },
        }
    }
}

/// `API key missing required scope 'query:read'`.
fn missing_scope(detail: &str) -> Option<&str> {
    let (_, rest) = detail.split_once("missing required scope")?;
    let scope = rest
        .trim_start_matches([' ', '\'', '"'])
        .split(['\'', '"', ' ', '.'])
        .next()?;
    (!scope.is_empty()).then_some(scope)
}

/// Someone else's words, fit for one line of ours.
fn quote(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_QUOTE)
        .collect();
    if text.chars().nth(LONGEST_QUOTE).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
