//! Faults that a test can script: each is used up by the next request to its endpoint, or stays until cleared.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The endpoints of the stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Every endpoint, unknown paths included. Only for faults.
    Any,
    /// `POST /api/projects/:id/query/`.
    Query,
    /// The same, with a query that gives itself this name. Only for faults.
    Named(&'static str),
    /// `GET /api/projects/:id/`.
    Project,
    /// `GET /api/personal_api_keys/@current/`.
    CurrentKey,
    /// `GET /api/projects/:id/event_definitions/`.
    EventDefinitions,
    /// `GET /api/projects/:id/cohorts/`.
    Cohorts,
    /// `POST /api/projects/:id/file_download_batch_exports/`.
    Exports,
    /// `GET /api/projects/:id/file_download_batch_exports/:id/`.
    ExportState,
    /// `GET /api/projects/:id/file_download_batch_exports/:id/download/…`.
    ExportFile,
    /// A file where the exports' files are kept: another server, at another port.
    Bucket,
    /// Any other path.
    Other,
}

/// One way to misbehave.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 429 of the request throttle, with `Retry-After` if seconds are given, else without the header.
    Throttle {
        /// Seconds to wait.
        retry_after: Option<u64>,
    },
    /// 429 "Too many queries are running right now", never with `Retry-After`.
    Concurrency,
    /// 429 of the read-bytes budget, code `api_queries_budget_exceeded`.
    Budget {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// 402, code `api_queries_quota_exceeded`.
    QuotaExceeded,
    /// 500 with the generic ClickHouse text.
    Internal,
    /// 503 "Queries are a little too busy right now", without `Retry-After`.
    Busy,
    /// 503 `database_unavailable` with `Retry-After: 1`.
    DatabaseUnavailable,
    /// 504 "Query has hit the max execution time before completing".
    Timeout,
    /// 512: the query is predicted to be too slow.
    TooSlow,
    /// 513 `clickhouse_memory_limit_exceeded`.
    OutOfMemory,
    /// Any other status, with a body of its own.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body, sent as JSON.
        body: String,
    },
    /// The request is read and never answered.
    Hang,
    /// The right answer, after this long.
    Delay(Duration),
    /// The right answer, a few bytes at a time.
    Drip {
        /// Bytes a piece.
        bytes: usize,
        /// Pause before each piece.
        every: Duration,
    },
    /// The right answer cut off after so many bytes, then the connection closes.
    Truncated {
        /// Bytes sent.
        bytes: usize,
    },
    /// A JSON body that never ends.
    Endless,
    /// A web page instead of JSON.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// 302 to another place.
    Redirect {
        /// The `Location`.
        to: String,
    },
    /// The connection is reset without an answer.
    Reset,
    /// The right rows under column names that nobody asked for (query only).
    WrongColumns,
    /// Each row lacks its last cell (query only).
    ShortRows,
    /// A column named `properties` holds objects instead of JSON text (query only).
    ObjectProperties,
    /// One column holds the same in every row, written as it stands, be it JSON or not (query only).
    /// Answers without that column stay as they are.
    Column {
        /// The column's name.
        name: String,
        /// What is written in place of its values.
        json: String,
    },
    /// Every row comes twice (query only).
    DuplicateRows,
    /// 200 whose `error` is set and whose `results` are null (query only).
    ErrorInBody,
}

#[derive(Debug)]
struct Scripted {
    endpoint: Endpoint,
    fault: Fault,
    /// Requests to let pass before the fault begins.
    skip: usize,
    /// Uses left; `None` is for ever.
    left: Option<usize>,
}

/// The script of faults. The first entry whose turn it is applies.
#[derive(Debug, Default)]
pub struct Faults {
    script: Mutex<VecDeque<Scripted>>,
}

impl Faults {
    /// The next request to `endpoint` fails so.
    pub fn push(&self, endpoint: Endpoint, fault: Fault) {
        self.push_times(endpoint, 1, fault);
    }

    /// The next `times` requests to `endpoint` fail so.
    pub fn push_times(&self, endpoint: Endpoint, times: usize, fault: Fault) {
        self.push_after(endpoint, 0, times, fault);
    }

    /// After `skip` good requests to `endpoint`, the next `times` fail so.
    pub fn push_after(&self, endpoint: Endpoint, skip: usize, times: usize, fault: Fault) {
        self.add(Scripted {
            endpoint,
            fault,
            skip,
            left: Some(times),
        });
    }

    /// Every request to `endpoint` fails so until `clear`.
    pub fn always(&self, endpoint: Endpoint, fault: Fault) {
        self.add(Scripted {
            endpoint,
            fault,
            skip: 0,
            left: None,
        });
    }

    /// Forgets the script.
    pub fn clear(&self) {
        self.script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// How many scripted uses are left; endless ones count once.
    #[must_use]
    pub fn remaining(&self) -> usize {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.iter().map(|entry| entry.left.unwrap_or(1)).sum()
    }

    fn add(&self, entry: Scripted) {
        self.script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(entry);
    }

    /// The fault of a request to `endpoint`, whose query has this name.
    pub(crate) fn take(&self, endpoint: Endpoint, name: Option<&str>) -> Option<Fault> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for entry in script.iter_mut() {
            let is_meant = match entry.endpoint {
                Endpoint::Any => true,
                Endpoint::Named(wanted) => endpoint == Endpoint::Query && name == Some(wanted),
                wanted => wanted == endpoint,
            };
            if !is_meant || entry.left == Some(0) {
                continue;
            }
            if entry.skip > 0 {
                entry.skip -= 1;
            } else if found.is_none() {
                entry.left = entry.left.map(|left| left - 1);
                found = Some(entry.fault.clone());
            }
        }
        script.retain(|entry| entry.left != Some(0));
        found
    }
}
