//! Every error that a caller may get: one `ErrorInfo` each (AIP-193), a sentence for the caller
//! and, where they differ, another for the log.

use std::collections::HashMap;
use std::time::Duration;

use domain::cohorts::CohortId;
use domain::storage::StoreError;
use domain::{ConnectionName, Plan};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `ErrorInfo`: reasons are unique within it.
pub const ERROR_DOMAIN: &str = "posthog.ordinary.dev";

/// Why a call was not answered. The variant's name in UPPER_SNAKE_CASE is the reason that
/// programs act on; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ApiError {
    /// A field of the request cannot be used.
    #[error("{field} {problem}.")]
    InvalidField {
        /// The field's path in the request.
        field: String,
        /// What is wrong with its value, and the fix; follows the field's name.
        problem: String,
    },
    /// Orders were asked of PostHog.
    #[error(
        "{field} holds FUNNEL_STAGE_ORDER_COMPLETED, which is always Shopify's orders/create webhook and never PostHog's: remove it and ask Shopify for orders."
    )]
    OrderNotFromPosthog {
        /// The field's path in the request.
        field: String,
    },
    /// A token that this method never gave for these arguments.
    #[error(
        "{field} is not a token that this method gave for these arguments: repeat the request exactly as it was, with the token unchanged, or leave the token out to begin again."
    )]
    TokenInvalid {
        /// `page_token` or `resume_token`.
        field: &'static str,
    },
    /// A token of an earlier state of the connection.
    #[error(
        "{field} was given before the connection moved to another project, its mapping changed or what it lists was counted anew: leave the token out to begin again."
    )]
    TokenStale {
        /// `page_token` or `resume_token`.
        field: &'static str,
    },
    /// There is no such connection, or it was disconnected.
    #[error("There is no connection {}.", .name.resource_name())]
    ConnectionNotFound {
        /// Its name.
        name: ConnectionName,
    },
    /// The connection has no such cohort.
    #[error("{} has no cohort {cohort}: ListCohorts names those it has.", .name.resource_name())]
    CohortNotFound {
        /// The connection.
        name: ConnectionName,
        /// The cohort's number.
        cohort: CohortId,
    },
    /// The workspace is on a plan without PostHog.
    #[error(
        "{} is not answered: its workspace is on the plan {plan}, and PostHog needs Starter or higher.", .name.resource_name()
    )]
    PlanTooLow {
        /// The connection.
        name: ConnectionName,
        /// The plan it is on.
        plan: Plan,
    },
    /// The workspace's plan is not known.
    #[error(
        "{} is not answered: its workspace has no plan that is known; its Namespace needs the label ordinary.dev/plan.", .name.resource_name()
    )]
    PlanUnknown {
        /// The connection.
        name: ConnectionName,
        /// The label's value; empty when there is none.
        label: String,
    },
    /// Nothing has been counted yet.
    #[error("{} has not been synced yet: ask again once its first run has begun.", .name.resource_name())]
    NotSynced {
        /// The connection.
        name: ConnectionName,
    },
    /// Clickmaps are switched off.
    #[error("{} has no clickmaps, for its autocapture.enabled is false: set it to true, and ask again after the next run.", .name.resource_name())]
    ClickmapsOff {
        /// The connection.
        name: ConnectionName,
    },
    /// Clickmaps are made at the end of each run.
    #[error("The clickmaps of {} have not been made yet: ask again once its first run has ended.", .name.resource_name())]
    ClickmapsNotMade {
        /// The connection.
        name: ConnectionName,
    },
    /// The caller's deadline, or the server's own, passed.
    #[error("The call took longer than {} ms: ask for less, or allow more time.", .limit.as_millis())]
    DeadlineExceeded {
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// The server is about to stop.
    #[error("The server is stopping: connect again and resume with the last resume token.")]
    Draining {
        /// Resumes the stream where it ended.
        resume_token: String,
    },
    /// The database does not answer.
    #[error("The store does not answer: try again.")]
    StoreUnavailable {
        /// What the driver said; for the log alone.
        detail: String,
    },
    /// A fault of the service.
    #[error("Something is wrong with the service: its log says what.")]
    Internal {
        /// What; for the log alone.
        detail: String,
    },
}

impl ApiError {
    /// A field that cannot be used, and why: `problem` follows the field's name and names the fix.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::InvalidField {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The reason in the `ErrorInfo`.
    pub fn reason(&self) -> &'static str {
        self.into()
    }

    /// The status code.
    pub fn code(&self) -> Code {
        match self {
            Self::InvalidField { .. }
            | Self::OrderNotFromPosthog { .. }
            | Self::TokenInvalid { .. } => Code::InvalidArgument,
            Self::TokenStale { .. }
            | Self::PlanTooLow { .. }
            | Self::PlanUnknown { .. }
            | Self::NotSynced { .. }
            | Self::ClickmapsOff { .. }
            | Self::ClickmapsNotMade { .. } => Code::FailedPrecondition,
            Self::ConnectionNotFound { .. } | Self::CohortNotFound { .. } => Code::NotFound,
            Self::DeadlineExceeded { .. } => Code::DeadlineExceeded,
            Self::Draining { .. } | Self::StoreUnavailable { .. } => Code::Unavailable,
            Self::Internal { .. } => Code::Internal,
        }
    }

    /// The field of the request that is to blame.
    fn blamed(&self) -> Option<&str> {
        match self {
            Self::InvalidField { field, .. } | Self::OrderNotFromPosthog { field } => Some(field),
            Self::TokenInvalid { field } => Some(field),
            _ => None,
        }
    }

    /// Every value that the message was made of.
    fn metadata(&self) -> HashMap<String, String> {
        let pairs: Vec<(&str, String)> = match self {
            Self::InvalidField { field, problem } => {
                vec![("field", field.clone()), ("problem", problem.clone())]
            }
            Self::OrderNotFromPosthog { field } => vec![("field", field.clone())],
            Self::TokenInvalid { field } | Self::TokenStale { field } => {
                vec![("field", (*field).to_owned())]
            }
            Self::ConnectionNotFound { name }
            | Self::NotSynced { name }
            | Self::ClickmapsOff { name }
            | Self::ClickmapsNotMade { name } => {
                vec![("connection", name.resource_name())]
            }
            Self::CohortNotFound { name, cohort } => vec![
                ("connection", name.resource_name()),
                ("cohort", cohort.to_string()),
            ],
            Self::PlanTooLow { name, plan } => vec![
                ("connection", name.resource_name()),
                ("plan", plan.to_string()),
                ("lowestPlan", Plan::Starter.to_string()),
            ],
            Self::PlanUnknown { name, label } => vec![
                ("connection", name.resource_name()),
                ("label", label.clone()),
            ],
            Self::DeadlineExceeded { limit } => {
                vec![("limitMilliseconds", limit.as_millis().to_string())]
            }
            Self::Draining { resume_token } => vec![("resumeToken", resume_token.clone())],
            Self::StoreUnavailable { .. } | Self::Internal { .. } => Vec::new(),
        };
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { detail } => Self::StoreUnavailable { detail },
            other => Self::Internal {
                detail: other.to_string(),
            },
        }
    }
}

impl From<ApiError> for Status {
    /// What the caller gets; what only the operator may know is logged here, once.
    fn from(error: ApiError) -> Self {
        let reason = error.reason();
        match &error {
            ApiError::Internal { detail } => {
                tracing::error!(reason, detail, "A call failed by a fault of the service.");
            }
            ApiError::StoreUnavailable { detail } => {
                tracing::warn!(
                    reason,
                    detail,
                    "A call failed because the store does not answer."
                );
            }
            _ => {}
        }
        let message = error.to_string();
        let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, error.metadata());
        if let Some(field) = error.blamed() {
            details.add_bad_request_violation(field, message.clone());
        }
        if matches!(
            error,
            ApiError::StoreUnavailable { .. } | ApiError::Draining { .. }
        ) {
            details.set_retry_info(Some(Duration::from_secs(1)));
        }
        Self::with_error_details(error.code(), message, details)
    }
}
