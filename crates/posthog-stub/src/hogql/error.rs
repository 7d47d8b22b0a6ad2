//! Why a query is refused.

/// A refusal, as PostHog's query endpoint tells it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// 400: the query is wrong. The code is `invalid_input` for HogQL's own checks, else a ClickHouse error's name.
    #[error("{detail}")]
    Invalid { code: &'static str, detail: String },
    /// 504, 512 or 513: the query asks for more than the scripted limit.
    #[error("too much: {status}")]
    TooMuch { status: u16 },
}

impl QueryError {
    /// A refusal by HogQL itself.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid {
            code: "invalid_input",
            detail: detail.into(),
        }
    }

    /// A refusal by ClickHouse.
    pub(crate) fn clickhouse(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid {
            code,
            detail: detail.into(),
        }
    }
}
