//! Connections that were refused for how an operator was installed: what it forbade may be allowed by the
//! one that runs now. It asks once; what is refused by it too is left alone like any other.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crd::{PostHogConnectionStatus, reasons};

/// Reasons that depend on how the operator is installed.
const OF_INSTALLATION: [&str; 2] = [reasons::HOST_REFUSED, reasons::TLS];

/// The UIDs of connections that this process has found to be refused so.
#[derive(Default)]
pub(crate) struct FirstLooks(Mutex<HashSet<String>>);

impl FirstLooks {
    /// Whether PostHog is to be asked about a connection that only another process is known to have
    /// refused so; from then on it was.
    pub(crate) fn is_first(&self, uid: &str, status: Option<&PostHogConnectionStatus>) -> bool {
        let conditions = status.into_iter().flat_map(|status| &status.conditions);
        conditions
            .filter(|condition| condition.kind == crd::CREDENTIALS_VALID)
            .any(|condition| self.looked(uid, &condition.reason))
    }

    /// Notes what PostHog was asked and why it was refused; whether that is so for the first time.
    pub(crate) fn looked(&self, uid: &str, reason: &str) -> bool {
        OF_INSTALLATION.contains(&reason)
            && self
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(uid.to_owned())
    }
}
