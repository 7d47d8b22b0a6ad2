//! Jobs whose Secret is known to be there, so that it is not written again at every look. Lost with the
//! process: then writing it once more is a conflict, which is as good.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Jobs whose Secret is known to be there.
#[derive(Default)]
pub(crate) struct Provisioned(Mutex<HashSet<String>>);

impl Provisioned {
    /// Whether that Job's is.
    pub(crate) fn contains(&self, job: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(job)
    }

    /// That Job's is.
    pub(crate) fn insert(&self, job: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(job.to_owned());
    }

    /// That Job is gone or over.
    pub(crate) fn remove(&self, job: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(job);
    }
}
