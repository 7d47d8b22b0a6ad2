//! The documented exit codes, and the error that carries one to `main`.

/// How the program ended; the table is in `docs/exit-codes.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The configuration cannot be used.
    Configuration = 10,
    /// PostHog does not know the key.
    InvalidKey = 11,
    /// The key is of a kind that cannot read events.
    WrongKindOfKey = 12,
    /// The key lacks a required scope.
    MissingScope = 13,
    /// The project does not exist or is not visible to the key.
    ProjectNotFound = 14,
    /// Another region knows the key.
    WrongRegion = 15,
    /// Policy forbids the host.
    HostRefused = 16,
    /// The host does not answer, or not over trusted TLS.
    Unreachable = 17,
    /// The host's answer is not PostHog's, or cannot be used.
    NotUnderstood = 18,
    /// PostHog's limits are used up.
    Throttled = 19,
    /// The store cannot be used or does not answer.
    Store = 20,
    /// The workspace's plan is too low or unknown.
    Plan = 21,
    /// The cluster's API server cannot be used, or another replica leads.
    Cluster = 22,
    /// Stopped by Ctrl-C or SIGTERM before the work was complete; it can be resumed.
    Interrupted = 130,
}

/// Why a command failed: one sentence for its user, and the exit code.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What went wrong and the fix.
    pub(crate) message: String,
}

impl Failure {
    /// A failure of this class with this sentence.
    pub(crate) fn new(exit: Exit, message: impl std::fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
        }
    }
}

impl From<domain::storage::StoreError> for Failure {
    fn from(error: domain::storage::StoreError) -> Self {
        Self::new(Exit::Store, error)
    }
}

impl From<operator::Error> for Failure {
    fn from(error: operator::Error) -> Self {
        match error {
            operator::Error::Store(error) => error.into(),
            other => Self::new(Exit::Cluster, other),
        }
    }
}

impl From<&posthog::Error> for Exit {
    fn from(error: &posthog::Error) -> Self {
        use posthog::Error as E;
        match error {
            E::InvalidApiKey { .. } => Self::InvalidKey,
            E::WrongRegion { .. } => Self::WrongRegion,
            E::MissingScope { .. } => Self::MissingScope,
            E::ProjectNotFound { .. } | E::NoProjectAccess { .. } => Self::ProjectNotFound,
            E::HostRefused { .. } => Self::HostRefused,
            E::Unreachable { .. } | E::Tls { .. } | E::Timeout { .. } | E::Unavailable { .. } => {
                Self::Unreachable
            }
            E::Throttled { .. } | E::QuotaExceeded => Self::Throttled,
            E::CaBundle { .. } | E::Setup { .. } | E::IdProperty { .. } => Self::Configuration,
            E::Gate(_) => Self::Store,
            _ => Self::NotUnderstood,
        }
    }
}

impl From<posthog::Error> for Failure {
    fn from(error: posthog::Error) -> Self {
        Self::new(Exit::from(&error), error)
    }
}

impl From<sync::CheckError> for Failure {
    fn from(error: sync::CheckError) -> Self {
        match error {
            sync::CheckError::MissingScope { .. } => Self::new(Exit::MissingScope, error),
            sync::CheckError::PostHog(error) => error.into(),
        }
    }
}

impl From<sync::SyncError> for Failure {
    fn from(error: sync::SyncError) -> Self {
        use sync::SyncError as E;
        let exit = match error {
            E::PostHog(error) => return error.into(),
            E::Store(error) => return error.into(),
            E::NotEligible { .. } => Exit::Plan,
            E::Interrupted => Exit::Interrupted,
            E::Suspended
            | E::Disconnected
            | E::NotRegistered
            | E::Moved { .. }
            | E::UnknownTimeZone(_) => Exit::Configuration,
            E::Busy { .. } => Exit::Store,
            E::TooHeavy { .. } => Exit::NotUnderstood,
        };
        Self::new(exit, error)
    }
}
