//! One budget of requests per PostHog host and project, shared by every process on the store.

use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;

use super::Result;
use crate::connection::Epoch;

/// Whose budget: limits are per project of a deployment, taken in the stricter reading
/// (POSTHOG.md 6).
pub type BudgetKey = Epoch;

/// How much may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Queries at once.
    pub concurrent: u32,
    /// Requests in any minute.
    pub per_minute: u32,
    /// Requests in any hour.
    pub per_hour: u32,
}

impl BudgetLimits {
    /// PostHog's published figures for queries made with a key (POSTHOG.md 5.7).
    pub const PUBLISHED: Self = Self {
        concurrent: 3,
        per_minute: 240,
        per_hour: 2400,
    };
    /// The older figure, assumed when throttled for long (POSTHOG.md 5.7).
    pub const LEGACY: Self = Self {
        concurrent: 3,
        per_minute: 240,
        per_hour: 120,
    };
}

/// The answer to asking for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Go ahead; give this number back afterwards.
    Granted {
        /// The place taken among the concurrent ones.
        slot: i64,
    },
    /// Ask again after this long.
    Wait(Duration),
}

/// Storage of budgets.
#[async_trait]
pub trait BudgetStore: Send + Sync {
    /// Takes one request out of the budget, which holds `limits` or, when PostHog has throttled the
    /// project for long, what [`super::Throttles::limit`] leaves of them. A holder that dies gives its
    /// slot back after `ttl`.
    async fn take(
        &self,
        key: &BudgetKey,
        limits: BudgetLimits,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Grant>;

    /// Gives a slot back.
    async fn give_back(&self, key: &BudgetKey, slot: i64) -> Result<()>;

    /// Takes note that PostHog refused a request for its rate ([`super::Throttles::note`]); whether the
    /// older figures hold from now on.
    async fn note_throttle(&self, key: &BudgetKey, now: Timestamp) -> Result<bool>;

    /// Nobody asks before `until`: PostHog said so.
    async fn pause(&self, key: &BudgetKey, until: Timestamp) -> Result<()>;
}
