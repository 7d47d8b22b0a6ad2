//! Refresh requests for which PostHog was asked about the key already: one that waits for its turn, such as
//! behind a long backfill, must not bring a check at every look. Lost with the process: then it brings one
//! more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The last such request of each connection, by UID.
#[derive(Default)]
pub(crate) struct Requests(Mutex<HashMap<String, String>>);

impl Requests {
    /// Whether that request has brought its check.
    pub(crate) fn has_checked(&self, uid: &str, request: &str) -> bool {
        self.lock()
            .get(uid)
            .is_some_and(|checked| checked == request)
    }

    /// That request has brought its check, and status tells what came of it.
    pub(crate) fn checked(&self, uid: &str, request: &str) {
        self.lock().insert(uid.to_owned(), request.to_owned());
    }

    /// That connection is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
