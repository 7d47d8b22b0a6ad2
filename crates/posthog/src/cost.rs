//! What asking has cost: requests and bytes, counted since the client was made.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use domain::sync::RunTotals;
use reqwest::header::HeaderMap;

use crate::http::Traffic;

const BYTES_READ: &str = "x-posthog-query-bytes-read";
const BUDGET_LEFT: &str = "x-posthog-query-budget-remaining-bytes";
/// PostHog has not said how much is left.
const UNKNOWN: u64 = u64::MAX;

/// Counters shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct Cost {
    requests: AtomicU64,
    received: AtomicU64,
    read: AtomicU64,
    budget_left: AtomicU64,
}

impl Cost {
    pub(crate) fn new() -> Self {
        Self {
            requests: AtomicU64::new(0),
            received: AtomicU64::new(0),
            read: AtomicU64::new(0),
            budget_left: AtomicU64::new(UNKNOWN),
        }
    }

    /// Counts one request, for the client at once and for the process when it is over.
    pub(crate) fn begin<'a>(&'a self, traffic: &'a Traffic) -> Call<'a> {
        Call {
            client: self,
            traffic,
            is_sent: AtomicBool::new(false),
            received: AtomicU64::new(0),
            read: AtomicU64::new(0),
            outcome: "Abandoned",
        }
    }

    pub(crate) fn budget_left(&self) -> Option<u64> {
        let left = self.budget_left.load(Ordering::Relaxed);
        (left != UNKNOWN).then_some(left)
    }

    pub(crate) fn totals(&self) -> RunTotals {
        RunTotals {
            requests: self.requests.load(Ordering::Relaxed),
            bytes_received: self.received.load(Ordering::Relaxed),
            bytes_read: self.read.load(Ordering::Relaxed),
            ..RunTotals::default()
        }
    }
}

/// One request.
pub(crate) struct Call<'a> {
    client: &'a Cost,
    traffic: &'a Traffic,
    is_sent: AtomicBool,
    received: AtomicU64,
    read: AtomicU64,
    outcome: &'static str,
}

impl Call<'_> {
    pub(crate) fn sent(&self) {
        self.is_sent.store(true, Ordering::Relaxed);
        self.client.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        let sum = &self.client.received;
        sum.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Takes note of what an answer's head says of the query budget (POSTHOG.md 5.3).
    pub(crate) fn head(&self, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        if let Some(bytes) = number(BYTES_READ) {
            self.read.fetch_add(bytes, Ordering::Relaxed);
            self.client.read.fetch_add(bytes, Ordering::Relaxed);
        }
        if let Some(bytes) = number(BUDGET_LEFT) {
            self.client.budget_left.store(bytes, Ordering::Relaxed);
        }
    }

    /// It is over, and ended so.
    pub(crate) fn ended(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.is_sent.load(Ordering::Relaxed) {
            let received = self.received.load(Ordering::Relaxed);
            let read = self.read.load(Ordering::Relaxed);
            self.traffic.add(self.outcome, received, read);
        }
    }
}
