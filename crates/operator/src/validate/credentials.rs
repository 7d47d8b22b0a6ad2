//! What is known of a connection's key, project and host: said by PostHog now, or as status has it.

use crd::{Condition, ConditionStatus, PostHogConnection, reasons};
use sync::backoff::{Class, Setback};

use super::Failures;
use super::failures::is_passing;
use crate::dereference::{Found, KeyFound, Standing, is_accepted};

/// What is known of a connection's key, project and host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// PostHog accepts them.
    Accepted {
        /// Whether there was white space around the key; absent where the key was not read.
        was_trimmed: Option<bool>,
    },
    /// They cannot be used until a person acts.
    Refused {
        /// Why.
        reason: String,
        /// Why, with the fix.
        message: String,
    },
    /// PostHog could not be asked; it is asked again.
    Unknown {
        /// Why.
        reason: String,
        /// Why, with the fix.
        message: String,
    },
}

impl Credentials {
    /// Whether the connection may be pulled with them.
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. })
    }
}

pub(super) fn credentials(
    connection: &PostHogConnection,
    found: &Found,
    failures: &Failures,
) -> Credentials {
    let checked = match &found.key {
        KeyFound::Missing(problem) => {
            return Credentials::Refused {
                reason: problem.reason().to_owned(),
                message: problem.to_string(),
            };
        }
        KeyFound::Unchecked(_) | KeyFound::NotRead => return told(connection, found, failures),
        KeyFound::Checked(checked) => checked,
    };
    match &checked.outcome {
        Ok(_) => Credentials::Accepted {
            was_trimmed: Some(checked.key.was_trimmed),
        },
        Err(error) => {
            let (reason, message) = (error.reason().to_owned(), error.to_string());
            if !is_passing(Setback::of_check(error)) {
                Credentials::Refused { reason, message }
            } else if was_accepted(connection) {
                // That PostHog does not answer now says nothing against the key.
                Credentials::Accepted { was_trimmed: None }
            } else {
                Credentials::Unknown { reason, message }
            }
        }
    }
}

fn was_accepted(connection: &PostHogConnection) -> bool {
    let status = connection.status.as_ref();
    status.is_some_and(|status| is_accepted(status, connection.metadata.generation))
}

/// What status tells, but for a key that a Job has met as bad.
fn told(connection: &PostHogConnection, found: &Found, failures: &Failures) -> Credentials {
    if let Some(failure) = &failures.last
        && failures.is_new
        && failure.job.is_some()
        && CREDENTIAL_REASONS.contains(&failure.reason.as_str())
        && Setback::of_reason(&failure.reason).class == Class::NeedsPerson
    {
        return Credentials::Refused {
            reason: failure.reason.clone(),
            message: failure.message.clone(),
        };
    }
    match old(connection) {
        Some(condition)
            if condition.status == ConditionStatus::True && was_accepted(connection) =>
        {
            Credentials::Accepted { was_trimmed: None }
        }
        Some(condition)
            if condition.status == ConditionStatus::False
                && condition.observed_generation == connection.metadata.generation =>
        {
            Credentials::Refused {
                reason: condition.reason.clone(),
                message: condition.message.clone(),
            }
        }
        _ => match failures.last.as_ref().filter(|_| failures.count > 0) {
            Some(failure) => Credentials::Unknown {
                reason: failure.reason.clone(),
                message: failure.message.clone(),
            },
            None => unchecked(found),
        },
    }
}

fn unchecked(found: &Found) -> Credentials {
    let (reason, message) = if found.standing() == Standing::Admitted {
        (reasons::CHECKING, "The connection is being checked.")
    } else {
        (
            reasons::NOT_CHECKED,
            "PostHog is not asked while the connection may not be read: see Ready.",
        )
    };
    Credentials::Unknown {
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn old(connection: &PostHogConnection) -> Option<&Condition> {
    let conditions = &connection.status.as_ref()?.conditions;
    conditions
        .iter()
        .find(|condition| condition.kind == crd::CREDENTIALS_VALID)
}

/// Reasons of a failed run that speak of the key, the project or the host.
const CREDENTIAL_REASONS: &[&str] = &[
    reasons::INVALID_API_KEY,
    reasons::WRONG_KIND_OF_KEY,
    reasons::WRONG_REGION,
    reasons::MISSING_SCOPE,
    reasons::PROJECT_NOT_FOUND,
    reasons::NO_PROJECT_ACCESS,
    reasons::HOST_REFUSED,
    reasons::REDIRECTED,
    reasons::NOT_POSTHOG,
    reasons::TLS,
];
