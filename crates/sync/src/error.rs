//! Why a run stopped: one enum from error to reason to metric label.

use domain::connection::Epoch;
use domain::day::UnknownTimeZone;
use domain::plan::PlanStanding;
use domain::storage::StoreError;
use jiff::Timestamp;

/// Why a run did not complete. What it stored stays and is gone on from.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
pub enum SyncError {
    /// Another run holds the connection.
    #[error("another run holds this connection until {until}")]
    Busy {
        /// When its lease ends unless renewed.
        until: Timestamp,
    },
    /// The run was asked to stop; it goes on where it stopped.
    #[error("the run was stopped and goes on next time where it stopped")]
    Interrupted,
    /// The connection is suspended.
    #[error("the connection is suspended: set spec.suspend to false to pull again")]
    Suspended,
    /// The connection was deleted.
    #[error("the connection was deleted")]
    Disconnected,
    /// The connection is not in the store, although whoever asked for the run should have put it there.
    #[error(
        "the connection is not in the store: the operator puts it there before it starts a run, so this run's connection is gone"
    )]
    NotRegistered,
    /// The connection reads another project by now.
    #[error(
        "the connection reads project {} at {} by now: this run was asked for before that, and the next one reads it",
        to.project_id, to.host
    )]
    Moved {
        /// What it reads.
        to: Epoch,
    },
    /// The workspace's plan does not admit PostHog.
    #[error(
        "the workspace's plan does not include PostHog ({}): nothing is pulled until it is on Starter or higher",
        describe(standing)
    )]
    NotEligible {
        /// What is known of the plan.
        standing: PlanStanding,
    },
    /// A window that PostHog cannot answer however small it is made.
    #[error("PostHog cannot answer a query for the events at {at}, however small: try again later")]
    TooHeavy {
        /// Where.
        at: Timestamp,
    },
    /// The time zone is none.
    #[error(transparent)]
    UnknownTimeZone(#[from] UnknownTimeZone),
    /// PostHog refused or failed.
    #[error(transparent)]
    PostHog(#[from] posthog::Error),
    /// The store refused or failed.
    #[error(transparent)]
    Store(StoreError),
}

impl SyncError {
    /// The variant's name, of PostHog's or the store's error where it is one: condition reason
    /// and metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::PostHog(error) => error.into(),
            Self::Store(error) => error.into(),
            Self::NotEligible {
                standing: PlanStanding::Unknown { .. },
            } => "PlanUnknown",
            Self::NotEligible { .. } => "PlanTooLow",
            other => other.into(),
        }
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseHeld { until } => Self::Busy { until },
            other => Self::Store(other),
        }
    }
}

fn describe(standing: &PlanStanding) -> String {
    match standing {
        PlanStanding::Eligible { plan } | PlanStanding::TooLow { plan } => format!("it is {plan}"),
        PlanStanding::Unknown { label: None } => {
            format!("its Namespace has no label {}", domain::plan::PLAN_LABEL)
        }
        PlanStanding::Unknown { label: Some(label) } => {
            format!("{} is {label:?}", domain::plan::PLAN_LABEL)
        }
    }
}
