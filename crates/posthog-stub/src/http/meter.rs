//! Enforces `Limits`: rates per key, turns per project, and the read-bytes budget.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Answer;
use super::limits::{BytesBudget, Limits};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
pub(crate) struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    asked: HashMap<String, VecDeque<Instant>>,
    turns: HashMap<u64, Arc<Semaphore>>,
    spent: HashMap<u64, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Meter {
    pub(crate) fn set(&self, limits: Limits) {
        *self.state() = State {
            limits,
            ..State::default()
        };
    }

    pub(crate) fn limits(&self) -> Limits {
        self.state().limits.clone()
    }

    /// Counts a request of `key`, or refuses it with the seconds until its window has room.
    pub(crate) fn rate(&self, key: &str) -> Result<(), Answer> {
        let mut state = self.state();
        let caps = [
            (state.limits.per_minute, MINUTE),
            (state.limits.per_hour, HOUR),
        ];
        if caps.iter().all(|(cap, _)| cap.is_none()) {
            return Ok(());
        }
        let now = Instant::now();
        let asked = state.asked.entry(key.to_owned()).or_default();
        while asked
            .front()
            .is_some_and(|at| now.duration_since(*at) >= HOUR)
        {
            asked.pop_front();
        }
        for (cap, period) in caps {
            let Some(cap) = cap else { continue };
            let mut within = asked.iter().filter(|at| now.duration_since(**at) < period);
            let first = within.next().copied();
            if within.count() + usize::from(first.is_some()) >= cap as usize {
                let wait = first.map_or(period, |first| {
                    period.saturating_sub(now.duration_since(first))
                });
                return Err(Answer::throttled(Some(wait.as_secs() + 1)));
            }
        }
        asked.push_back(now);
        Ok(())
    }

    /// Waits for a turn of `project`; the turn ends when the permit is dropped.
    pub(crate) async fn turn(&self, project: u64) -> Result<Option<OwnedSemaphorePermit>, Answer> {
        let (semaphore, wait) = {
            let mut state = self.state();
            let Some(cap) = state.limits.concurrency else {
                return Ok(None);
            };
            let wait = state.limits.queue_wait;
            let semaphore = state
                .turns
                .entry(project)
                .or_insert_with(|| Arc::new(Semaphore::new(cap)));
            (semaphore.clone(), wait)
        };
        match tokio::time::timeout(wait, semaphore.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_)) | Err(_) => Err(Answer::too_many_queries()),
        }
    }

    /// Refuses when the budget is used up.
    pub(crate) fn may_read(&self, project: u64) -> Result<(), Answer> {
        let state = self.state();
        let Some(budget) = state.limits.budget else {
            return Ok(());
        };
        let bucket = state.refill(project, budget);
        if bucket.left > 0.0 {
            return Ok(());
        }
        let hours = (1.0 - bucket.left) / (budget.per_hour as f64).max(1.0);
        Err(Answer::budget_exceeded((hours * 3600.0).ceil() as u64 + 1))
    }

    /// Takes bytes from the budget and says what is left of it.
    pub(crate) fn spend(&self, project: u64, bytes: u64) -> u64 {
        let mut state = self.state();
        let enforced = state.limits.budget;
        let budget = enforced.unwrap_or_else(BytesBudget::free);
        let mut bucket = state.refill(project, budget);
        bucket.left -= bytes as f64;
        state.spent.insert(project, bucket);
        bucket.left.max(0.0) as u64
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refill(&self, project: u64, budget: BytesBudget) -> Bucket {
        let now = Instant::now();
        let full = Bucket {
            left: budget.capacity as f64,
            at: now,
        };
        let Some(bucket) = self.spent.get(&project) else {
            return full;
        };
        let hours = now.duration_since(bucket.at).as_secs_f64() / 3600.0;
        let left = bucket.left + hours * budget.per_hour as f64;
        Bucket {
            left: left.min(budget.capacity as f64),
            at: now,
        }
    }
}
