//! PostHog's limits, all off by default: concurrency, rates, the read-bytes budget, and queries that are too much.

use std::time::Duration;

use jiff::SignedDuration;

/// What the stand-in enforces. `Limits::default()` enforces nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Queries of one project that may run at once (PostHog: 3); more wait up to `queue_wait`, then 429.
    pub concurrency: Option<usize>,
    /// How long a query waits for its turn (PostHog: 30 s).
    pub queue_wait: Duration,
    /// Requests per key and minute to `/query/` (PostHog: 240).
    pub per_minute: Option<u32>,
    /// Requests per key and hour to `/query/` (PostHog: 2400, older teams 120).
    pub per_hour: Option<u32>,
    /// The read-bytes budget of a project.
    pub budget: Option<BytesBudget>,
    /// Queries that are refused for their size.
    pub too_much: Option<TooMuch>,
    /// How long every query takes at least.
    pub latency: Duration,
}

impl Limits {
    /// The figures of PostHog Cloud for a team on the new scheme.
    #[must_use]
    pub fn cloud() -> Self {
        Self {
            concurrency: Some(3),
            queue_wait: Duration::from_secs(30),
            per_minute: Some(240),
            per_hour: Some(2400),
            budget: Some(BytesBudget::free()),
            ..Self::default()
        }
    }
}

/// A token bucket of bytes that queries may read. The query that crosses still completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BytesBudget {
    /// The bucket's size, and what it holds at first.
    pub capacity: u64,
    /// What flows in each hour.
    pub per_hour: u64,
}

impl BytesBudget {
    /// A free team: 20 GB an hour, a day of it in the bucket.
    #[must_use]
    pub fn free() -> Self {
        Self {
            capacity: 480_000_000_000,
            per_hour: 20_000_000_000,
        }
    }
}

/// A query is refused when it asks for more than this, as ClickHouse would time out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TooMuch {
    /// Refuse one over events when the bounds on `timestamp` are further apart (or missing).
    pub span: Option<SignedDuration>,
    /// Refuse one over events when more rows match the filter.
    pub rows: Option<usize>,
    /// Refuse one over a table of cohorts when more rows match the filter.
    pub members: Option<usize>,
    /// 504, 512 or 513.
    pub status: u16,
}
