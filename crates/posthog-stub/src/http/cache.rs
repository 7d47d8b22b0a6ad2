//! PostHog's result cache: without `force_blocking`, an answer up to six hours old is served again (POSTHOG.md 5.2).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::hogql::ResultSet;

const FRESH: SignedDuration = SignedDuration::from_hours(6);
const KEPT: usize = 32;

/// Results by query text, values, modifiers, project and time zone.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    found: HashMap<String, (Timestamp, Arc<ResultSet>)>,
    order: VecDeque<String>,
}

impl Cache {
    /// A result computed less than six hours before `now`, and when.
    pub(crate) fn get(&self, key: &str, now: Timestamp) -> Option<(Timestamp, Arc<ResultSet>)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, set) = entries.found.get(key)?;
        (now.duration_since(*at) < FRESH).then(|| (*at, set.clone()))
    }

    pub(crate) fn put(&self, key: String, at: Timestamp, set: Arc<ResultSet>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.found.insert(key.clone(), (at, set)).is_none() {
            entries.order.push_back(key);
        }
        if entries.order.len() > KEPT
            && let Some(oldest) = entries.order.pop_front()
        {
            entries.found.remove(&oldest);
        }
    }

    pub(crate) fn clear(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        *entries = Entries::default();
    }
}
