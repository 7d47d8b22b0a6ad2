//! CredentialsValid.

use crd::{ConditionStatus, reasons};

use super::{Said, Situation, titled};
use crate::validate::Credentials;

impl Situation<'_> {
    pub(super) fn credentials_valid(&self) -> Said {
        match &self.verdict.credentials {
            Credentials::Accepted { was_trimmed } => {
                let message = match (was_trimmed, self.old(crd::CREDENTIALS_VALID)) {
                    (None, Some(old)) => old.message.clone(),
                    (Some(true), _) => "PostHog accepts the API key. The Secret's value has white space or a line break around the key, which was left out.".to_owned(),
                    _ => "PostHog accepts the API key.".to_owned(),
                };
                Said::new(ConditionStatus::True, reasons::KEY_ACCEPTED, message)
            }
            Credentials::Refused { reason, message } => {
                Said::new(ConditionStatus::False, reason, titled(reason, message))
            }
            Credentials::Unknown { reason, message } => {
                Said::new(ConditionStatus::Unknown, reason, titled(reason, message))
            }
        }
    }
}
