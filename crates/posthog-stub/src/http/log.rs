//! What the server was asked, for assertions. The newest ten thousand requests are kept; keys never are.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::fault::{Endpoint, Fault};

const KEPT: usize = 10_000;

/// One request and what came of it.
#[derive(Debug, Clone)]
pub struct LoggedRequest {
    /// When it came in.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// Path and query string as sent.
    pub path: String,
    /// Which endpoint that is.
    pub endpoint: Endpoint,
    /// The `Host` header.
    pub host: String,
    /// Whether an `Authorization` header was present.
    pub authorized: bool,
    /// Whether the client takes gzip.
    pub accepts_gzip: bool,
    /// The HogQL text (query only).
    pub query: Option<String>,
    /// The placeholder values (query only).
    pub values: Json,
    /// The `refresh` mode as sent (query only).
    pub refresh: Option<String>,
    /// The query's `name` (query only).
    pub name: Option<String>,
    /// The fault that was applied.
    pub fault: Option<Fault>,
    /// The HTTP status answered; 0 while unanswered.
    pub status: u16,
    /// Rows in the answer (query only).
    pub rows: usize,
    /// Bytes that ClickHouse would have read (query only).
    pub bytes_read: u64,
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    list: VecDeque<LoggedRequest>,
    dropped: usize,
}

impl RequestLog {
    /// Adds a request and returns its ticket for `amend`.
    pub(crate) fn push(&self, entry: LoggedRequest) -> usize {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.list.len() == KEPT {
            entries.list.pop_front();
            entries.dropped += 1;
        }
        entries.list.push_back(entry);
        entries.dropped + entries.list.len() - 1
    }

    pub(crate) fn amend(&self, ticket: usize, change: impl FnOnce(&mut LoggedRequest)) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = entries.dropped;
        if let Some(entry) = ticket
            .checked_sub(dropped)
            .and_then(|at| entries.list.get_mut(at))
        {
            change(entry);
        }
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.list.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.dropped += entries.list.len();
        entries.list.clear();
    }
}
