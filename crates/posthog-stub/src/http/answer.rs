//! Answers before they become HTTP: PostHog's error envelope (POSTHOG.md 2.2) and JSON bodies.

use serde_json::{Value as Json, json};

/// A status, extra headers and a body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// Rows and bytes read, for the log.
    pub(crate) rows: usize,
    pub(crate) bytes_read: u64,
}

impl Answer {
    pub(crate) fn raw(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type,
            body,
            rows: 0,
            bytes_read: 0,
        }
    }

    pub(crate) fn json(status: u16, body: &Json) -> Self {
        Self::raw(status, "application/json", body.to_string().into_bytes())
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An error in PostHog's envelope.
    pub(crate) fn error(status: u16, kind: &str, code: &str, detail: &str) -> Self {
        Self::json(
            status,
            &json!({"type": kind, "code": code, "detail": detail, "attr": null}),
        )
    }

    pub(crate) fn denied(detail: &str) -> Self {
        Self::error(403, "authentication_error", "permission_denied", detail)
    }

    pub(crate) fn not_found(detail: &str) -> Self {
        Self::error(404, "invalid_request", "not_found", detail)
    }

    pub(crate) fn method_not_allowed(method: &str) -> Self {
        let detail = format!("Method \"{method}\" not allowed.");
        Self::error(405, "invalid_request", "method_not_allowed", &detail)
    }

    pub(crate) fn parse_error(detail: &str) -> Self {
        Self::error(400, "invalid_request", "parse_error", detail)
    }

    /// The request throttle's 429: the header and the seconds in the text only when there is a wait.
    pub(crate) fn throttled(retry_after: Option<u64>) -> Self {
        let Some(seconds) = retry_after else {
            return Self::error(
                429,
                "throttled_error",
                "throttled",
                "Request was throttled.",
            );
        };
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let detail = format!("Request was throttled. Expected available in {seconds} {unit}.");
        Self::error(429, "throttled_error", "throttled", &detail)
            .header("retry-after", seconds.to_string())
    }

    pub(crate) fn too_many_queries() -> Self {
        let detail = "Too many queries are running right now — please try again in a moment.";
        Self::error(429, "throttled_error", "throttled", detail)
    }

    pub(crate) fn budget_exceeded(retry_after: u64) -> Self {
        // POSTHOG.md 5.7: the real text was not found, so a client must go by the code.
        let detail = "The hourly budget of bytes read by API queries is used up.";
        Self::error(
            429,
            "throttled_error",
            "api_queries_budget_exceeded",
            detail,
        )
        .header("retry-after", retry_after.to_string())
    }

    /// What PostHog answers for a query that is too slow (504), predicted to be (512) or too big (513).
    pub(crate) fn too_much(status: u16) -> Self {
        let (code, detail) = match status {
            512 => (
                "error",
                "Query estimated execution time is too long. Try reducing its scope by changing the time range.",
            ),
            513 => (
                "clickhouse_memory_limit_exceeded",
                "Query exceeds memory limits. Try reducing its scope by changing the time range.",
            ),
            _ => (
                "error",
                "Query has hit the max execution time before completing. See our docs for how to improve your query performance. You may need to materialize.",
            ),
        };
        Self::error(status, "server_error", code, detail)
    }
}
