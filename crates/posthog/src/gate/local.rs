//! A budget within one process, for `check` and for tests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::storage::BudgetLimits;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Gate, GatePass};
use crate::error::{Error, ThrottleKind};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Longer waits than this are told to the caller instead of being slept through.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How long nobody asks after a rate limit that named no time.
const UNNAMED_PAUSE: Duration = Duration::from_secs(60);

/// A budget kept in memory: at once, in a minute and in an hour.
#[derive(Debug, Clone)]
pub struct LocalGate {
    places: Arc<Semaphore>,
    limits: BudgetLimits,
    past: Arc<Mutex<Past>>,
}

#[derive(Debug, Default)]
struct Past {
    sent: VecDeque<Instant>,
    paused_until: Option<Instant>,
}

impl LocalGate {
    /// A budget of these limits.
    pub fn new(limits: BudgetLimits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.concurrent.max(1) as usize)),
            limits,
            past: Arc::default(),
        }
    }

    /// Takes one request out of the budget, or says how long to wait for it.
    fn take(&self, now: Instant) -> Option<Duration> {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        while past.sent.front().is_some_and(|at| *at + HOUR <= now) {
            past.sent.pop_front();
        }
        let wait_for = |count: u32, span: Duration| {
            let oldest = past.sent.len().checked_sub(count.max(1) as usize)?;
            let free_at = *past.sent.get(oldest)? + span;
            (free_at > now).then(|| free_at - now)
        };
        let paused = past
            .paused_until
            .filter(|until| *until > now)
            .map(|until| until - now);
        let wait = [
            paused,
            wait_for(self.limits.per_minute, MINUTE),
            wait_for(self.limits.per_hour, HOUR),
        ]
        .into_iter()
        .flatten()
        .max();
        if wait.is_none() {
            past.sent.push_back(now);
        }
        wait
    }
}

impl Default for LocalGate {
    fn default() -> Self {
        Self::new(BudgetLimits::PUBLISHED)
    }
}

#[async_trait]
impl Gate for LocalGate {
    async fn enter(&self) -> Result<GatePass, Error> {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|closed| Error::Gate(Box::new(closed)))?;
        while let Some(wait) = self.take(Instant::now()) {
            if wait > LONGEST_WAIT {
                return Err(Error::Throttled {
                    retry_after: Some(wait),
                    kind: ThrottleKind::Rate,
                });
            }
            tokio::time::sleep(wait).await;
        }
        Ok(GatePass::new(move || drop(place)))
    }

    async fn throttled(&self, retry_after: Option<Duration>, kind: ThrottleKind) {
        // Too many at once says nothing of the next request: the client itself backs off a little.
        if kind == ThrottleKind::Concurrency {
            return;
        }
        let until = Instant::now() + retry_after.unwrap_or(UNNAMED_PAUSE);
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.paused_until = past.paused_until.max(Some(until));
    }

    /// A dropped pass is given back at once.
    async fn settled(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BudgetLimits = BudgetLimits {
        concurrent: 3,
        per_minute: 2,
        per_hour: 3,
    };

    #[test]
    fn a_minute_and_an_hour_hold_no_more_than_their_limits() {
        let gate = LocalGate::new(LIMITS);
        let now = Instant::now();
        assert_eq!(gate.take(now), None);
        assert_eq!(gate.take(now), None);
        assert_eq!(gate.take(now), Some(MINUTE));
        assert_eq!(gate.take(now + MINUTE), None);
        assert_eq!(gate.take(now + MINUTE), Some(HOUR - MINUTE));
        assert_eq!(gate.take(now + HOUR), None);
    }

    #[tokio::test]
    async fn everybody_waits_as_long_as_posthog_said() {
        let gate = LocalGate::default();
        let wait = Duration::from_secs(62);
        gate.throttled(Some(wait), ThrottleKind::Rate).await;
        let now = Instant::now();
        assert!(gate.take(now).is_some_and(|left| left <= wait));
        assert_eq!(gate.take(now + wait), None);
    }

    #[tokio::test]
    async fn too_many_at_once_makes_nobody_else_wait() {
        let gate = LocalGate::default();
        gate.throttled(None, ThrottleKind::Concurrency).await;
        assert_eq!(gate.take(Instant::now()), None);
    }

    #[tokio::test]
    async fn a_wait_of_hours_is_told_instead_of_slept() {
        let gate = LocalGate::default();
        gate.throttled(Some(HOUR), ThrottleKind::Budget).await;
        assert!(matches!(
            gate.enter().await,
            Err(Error::Throttled { retry_after: Some(wait), .. }) if wait > LONGEST_WAIT
        ));
    }

    #[tokio::test]
    async fn a_dropped_pass_makes_room_for_the_next() {
        let gate = LocalGate::new(BudgetLimits {
            concurrent: 1,
            ..BudgetLimits::PUBLISHED
        });
        let pass = gate.enter().await;
        let second = tokio::time::timeout(Duration::from_millis(20), gate.enter()).await;
        assert!(second.is_err(), "only one request at once");
        drop(pass);
        assert!(gate.enter().await.is_ok());
    }
}
