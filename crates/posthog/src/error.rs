//! Everything that can go wrong between a connection and PostHog, in the merchant's words.

use std::time::Duration;

use domain::{ApiHost, ProjectId};

/// Which of PostHog's limits was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum ThrottleKind {
    /// Too many requests in a minute or an hour; PostHog says when to come back.
    Rate,
    /// Too many queries at once.
    Concurrency,
    /// The hourly budget of bytes that queries may read is used up.
    Budget,
}

/// Why PostHog did not answer, or why its answer cannot be used. Each message is one sentence that
/// names the field and the fix; none holds the key. The variant's name is its reason and metric label.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[non_exhaustive]
pub enum Error {
    /// PostHog does not know the key here (`code: authentication_failed`, whatever the status).
    #[error(
        "Invalid API key: PostHog at {host} does not know it; create a new personal API key (phx_…) there and put it where the connection's API key is kept"
    )]
    InvalidApiKey {
        /// The host that was asked.
        host: ApiHost,
    },
    /// The key is unknown here, but the other Cloud region knows it.
    #[error(
        "Wrong region: PostHog at {host} does not know this API key, but {knows} does; set host to {knows}"
    )]
    WrongRegion {
        /// The host that was asked.
        host: ApiHost,
        /// The host that knows the key.
        knows: ApiHost,
    },
    /// The key lacks a scope.
    #[error("The API key lacks the scope {scope}; add it to the key in PostHog's settings")]
    MissingScope {
        /// The scope as PostHog spells it.
        scope: String,
    },
    /// No such project on this host, or none that the key may see.
    #[error(
        "projectId {project} was not found at {host}; copy it from PostHog's project settings and check that host is its region"
    )]
    ProjectNotFound {
        /// The project that was asked for.
        project: ProjectId,
        /// The host that was asked.
        host: ApiHost,
    },
    /// The key is known but may not read the project.
    #[error("The API key may not read projectId {project}: PostHog says \"{reason}\"")]
    NoProjectAccess {
        /// The project that was asked for.
        project: ProjectId,
        /// PostHog's own words.
        reason: String,
    },
    /// The host may not be asked under this installation's policy.
    #[error("host {host} is refused: {reason}")]
    HostRefused {
        /// The host as configured.
        host: String,
        /// What the policy forbids and how to allow it.
        reason: String,
    },
    /// No connection could be made.
    #[error("PostHog at {host} cannot be reached: {reason}; check host and the network between")]
    Unreachable {
        /// The host that was asked.
        host: String,
        /// What failed.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error(
        "TLS with {host} failed: {reason}; if its certificate comes from an own authority, name that authority's file with --ca-bundle (posthog.caBundle of the chart)"
    )]
    Tls {
        /// The host that was asked.
        host: String,
        /// What failed.
        reason: String,
    },
    /// The CA bundle cannot be used.
    #[error("--ca-bundle {path} (posthog.caBundle of the chart) cannot be used: {reason}")]
    CaBundle {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTPS client cannot start: {reason}")]
    Setup {
        /// What failed.
        reason: String,
    },
    /// The host answers with a redirect, which is never followed: the key stays where it was sent.
    #[error("{host} redirects to {to}; set host to the address that answers itself")]
    Redirected {
        /// The host that was asked.
        host: String,
        /// Where it points.
        to: String,
    },
    /// What answers is not PostHog's API.
    #[error("{host} does not answer like PostHog: {reason}; check host")]
    NotPostHog {
        /// The host that was asked.
        host: String,
        /// What came instead.
        reason: String,
    },
    /// An answer of PostHog that cannot be understood; nothing of it is used.
    #[error("PostHog's answer to {request} cannot be understood: {reason}")]
    Malformed {
        /// What was asked.
        request: String,
        /// What is wrong.
        reason: String,
    },
    /// An answer that broke off.
    #[error("PostHog's answer to {request} broke off before its end")]
    Truncated {
        /// What was asked.
        request: String,
    },
    /// An answer larger than this client takes.
    #[error("PostHog's answer to {request} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        request: String,
        /// The limit in bytes, decompressed.
        limit: u64,
    },
    /// No answer, or no more of it, within the time allowed.
    #[error("PostHog's answer to {request} took too long: {reason}")]
    Timeout {
        /// What was asked.
        request: String,
        /// Which time was exceeded.
        reason: String,
    },
    /// PostHog's limits, after waiting as long as is sensible here.
    #[error("PostHog throttles this project ({kind}){}", after(*.retry_after))]
    Throttled {
        /// When PostHog says to come back.
        retry_after: Option<Duration>,
        /// Which limit.
        kind: ThrottleKind,
    },
    /// The organisation's quota of API queries is used up for this period (402).
    #[error(
        "PostHog's quota of API queries is used up for this billing period; raise it in PostHog's billing settings or wait for the next period"
    )]
    QuotaExceeded,
    /// The query is too heavy for PostHog; ask for a smaller window, never the same text again.
    #[error("PostHog could not finish a query (status {status}): {detail}")]
    QueryTooHeavy {
        /// The HTTP status.
        status: u16,
        /// PostHog's own words.
        detail: String,
    },
    /// PostHog refuses the query itself.
    #[error("PostHog refused a query ({code}): {detail}")]
    QueryRejected {
        /// PostHog's own words.
        detail: String,
        /// PostHog's code.
        code: String,
    },
    /// PostHog failed, also when asked again.
    #[error("PostHog is not available at the moment (status {status}): {detail}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// PostHog's own words.
        detail: String,
        /// When PostHog says to come back.
        retry_after: Option<Duration>,
    },
    /// Any other refusal.
    #[error("PostHog at {host} refused {request} (status {status}, {code}): {detail}")]
    Refused {
        /// The host that was asked.
        host: String,
        /// What was asked.
        request: String,
        /// The HTTP status.
        status: u16,
        /// PostHog's code.
        code: String,
        /// PostHog's own words.
        detail: String,
    },
    /// PostHog could not make a file export.
    #[error("PostHog's file export ended as {status}: {detail}")]
    ExportFailed {
        /// PostHog's status of it.
        status: String,
        /// PostHog's own words.
        detail: String,
    },
    /// PostHog makes as many file exports of the project as it makes at once.
    #[error("PostHog makes as many file exports of this project as it makes at once")]
    ExportsBusy,
    /// A file of an export cannot be had, or is not what was asked for.
    #[error("a file of PostHog's export cannot be read: {reason}")]
    ExportFile {
        /// What is wrong, without the file's address: whoever has that can read the file.
        reason: String,
    },
    /// PostHog's queries turn a property to something that cannot be told from an export.
    #[error(
        "PostHog has typed the property {property:?} as {kind}, and a file export does not tell what its queries make of it"
    )]
    ExportColumn {
        /// The property.
        property: String,
        /// ClickHouse's type, or that it is unknown.
        kind: String,
    },
    /// An identity property that cannot be put into a query.
    #[error("spec.identity: the property name {name:?} cannot be asked of PostHog: {reason}")]
    IdProperty {
        /// The name as configured.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The shared budget itself failed, such as the store behind it.
    #[error("the budget of PostHog requests cannot be kept: {0}")]
    Gate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The variant's name: the reason in status and the label in metrics.
    pub fn reason(&self) -> &'static str {
        self.into()
    }

    /// Whether asking again later, with nothing changed, may succeed.
    pub fn is_retryable(&self) -> bool {
        self.is_outage() || matches!(self, Self::Throttled { .. } | Self::Gate(_))
    }

    /// Whether whoever was asked, PostHog or where it keeps its files, does not answer for the moment,
    /// or the network between is to blame.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Truncated { .. }
                | Self::Timeout { .. }
                | Self::Unavailable { .. }
        )
    }

    /// When PostHog said to come back, where it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// Whether file exports are of no use for now, whatever queries are: what was refused, failed there,
    /// or is not to be had from PostHog as it is installed.
    pub fn ends_exports(&self) -> bool {
        matches!(
            self,
            Self::ExportFailed { .. }
                | Self::ExportsBusy
                | Self::ExportFile { .. }
                | Self::ExportColumn { .. }
                | Self::MissingScope { .. }
                | Self::NoProjectAccess { .. }
                | Self::QuotaExceeded
                | Self::NotPostHog { .. }
                | Self::Malformed { .. }
                | Self::Refused { .. }
        )
    }

    /// Whether any other request fails alike until a person has put the key, the host or this installation
    /// right, or because the budget's own store fails. What is not so, another request may be answered.
    pub fn fails_every_request(&self) -> bool {
        matches!(
            self,
            Self::InvalidApiKey { .. }
                | Self::WrongRegion { .. }
                | Self::ProjectNotFound { .. }
                | Self::HostRefused { .. }
                | Self::Tls { .. }
                | Self::CaBundle { .. }
                | Self::Setup { .. }
                | Self::Redirected { .. }
                | Self::Gate(_)
        )
    }

    /// Whether a query over half the window may succeed where this one did not.
    pub fn wants_smaller_query(&self) -> bool {
        matches!(self, Self::QueryTooHeavy { .. } | Self::TooLarge { .. })
    }
}

fn after(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(
        || "; it is asked again later".to_owned(),
        |wait| format!("; it may be asked again in {} s", wait.as_secs()),
    )
}
