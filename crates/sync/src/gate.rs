//! The gate in front of a project's PostHog: one budget in the store that every process shares,
//! of which checks may use all and runs nine tenths.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::storage::{BudgetKey, BudgetLimits, Grant, Store};
use jiff::{SignedDuration, Timestamp};
use posthog::{Error, Gate, GatePass, ThrottleKind};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Longer waits than this are told to the caller instead of being slept through.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// After this a killed process's place is free again. A request that takes longer may let a
/// fourth one in, which PostHog itself then refuses without harm.
const PLACE_TTL: Duration = Duration::from_secs(60);
/// How long an ending run waits until its places are given back to a store that is slow to answer.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);
/// How long nobody asks after a rate limit that named no time.
const UNNAMED_RATE: Duration = Duration::from_secs(60);
/// How long nobody asks after a used-up byte budget that named no time; it refills by the hour.
const UNNAMED_BUDGET: Duration = Duration::from_secs(15 * 60);
/// Nobody is kept from asking for longer than this, whatever an answer says: PostHog's budgets refill
/// by the hour, and a request that comes too early renews the pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 60 * 60);

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// "Save and test", which somebody waits for: the whole budget.
    Check,
    /// Runs: nine tenths, so that checks always find room.
    Run,
}

/// A gate over the store's budget of one project.
#[derive(Clone)]
pub struct StoreGate {
    store: Arc<dyn Store>,
    key: BudgetKey,
    share: Share,
    /// Places that are being taken, held or given back.
    moves: TaskTracker,
}

/// What became of asking for a place.
enum Taken {
    Place(GatePass),
    Wait(Duration),
}

impl StoreGate {
    /// A gate of this project for this share.
    pub fn new(store: Arc<dyn Store>, key: BudgetKey, share: Share) -> Self {
        Self {
            store,
            key,
            share,
            moves: TaskTracker::new(),
        }
    }

    /// Asks the store for a place. Not on the caller's task: a caller that goes away just then would
    /// leave behind a place that nobody knows of.
    async fn take(&self, now: Timestamp) -> Result<Taken, Error> {
        let (gate, limits) = (self.clone(), self.limits());
        let (answer, answered) = oneshot::channel();
        self.moves.spawn(async move {
            let taken = gate.store.take(&gate.key, limits, now, PLACE_TTL).await;
            // Nobody may be there any more to hear it: the pass is dropped then, still within this task.
            let _ = answer.send(taken.map(|grant| match grant {
                Grant::Granted { slot } => Taken::Place(gate.pass(slot)),
                Grant::Wait(wait) => Taken::Wait(wait),
            }));
        });
        match answered.await {
            Ok(Ok(taken)) => Ok(taken),
            Ok(Err(error)) => Err(Error::Gate(Box::new(error))),
            Err(ended) => Err(Error::Gate(Box::new(ended))),
        }
    }

    fn pass(&self, slot: i64) -> GatePass {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let unsettled = self.moves.token();
        GatePass::new(move || {
            let give_back = async move {
                if let Err(error) = store.give_back(&key, slot).await {
                    tracing::debug!(%error, "a place in the budget stays taken until it expires");
                }
                drop(unsettled);
            };
            // Outside a runtime the process is ending, and the place comes free by its ttl.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(give_back);
            }
        })
    }

    fn limits(&self) -> BudgetLimits {
        let whole = BudgetLimits::PUBLISHED;
        match self.share {
            Share::Check => whole,
            Share::Run => BudgetLimits {
                concurrent: whole.concurrent,
                per_minute: whole.per_minute / 10 * 9,
                per_hour: whole.per_hour / 10 * 9,
            },
        }
    }

    /// Takes note of a rate limit; several within half an hour bring the older figures.
    async fn note(&self, now: Timestamp) {
        match self.store.note_throttle(&self.key, now).await {
            Ok(true) => tracing::warn!(
                host = %self.key.host, project = %self.key.project_id,
                "PostHog keeps throttling: keeping to its older limit of 120 queries an hour for 6 hours"
            ),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "that PostHog throttled could not be shared");
            }
        }
    }
}

#[async_trait]
impl Gate for StoreGate {
    async fn enter(&self) -> Result<GatePass, Error> {
        loop {
            // The machine's clock, whatever clock decides windows: limits are about real time.
            let now = Timestamp::now();
            match self.take(now).await? {
                Taken::Place(pass) => return Ok(pass),
                Taken::Wait(wait) if wait > LONGEST_WAIT => {
                    return Err(Error::Throttled {
                        retry_after: Some(wait),
                        kind: ThrottleKind::Rate,
                    });
                }
                Taken::Wait(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    async fn throttled(&self, retry_after: Option<Duration>, kind: ThrottleKind) {
        let now = Timestamp::now();
        let pause = match kind {
            // Too many at once says nothing of the next request; the client backs off a little.
            ThrottleKind::Concurrency => return,
            ThrottleKind::Rate => {
                self.note(now).await;
                retry_after.unwrap_or(UNNAMED_RATE)
            }
            ThrottleKind::Budget => retry_after.unwrap_or(UNNAMED_BUDGET),
        };
        let until = SignedDuration::try_from(pause.min(LONGEST_PAUSE))
            .ok()
            .and_then(|pause| now.checked_add(pause).ok())
            .unwrap_or(Timestamp::MAX);
        if let Err(error) = self.store.pause(&self.key, until).await {
            tracing::warn!(%error, "the pause that PostHog asked for could not be shared");
        }
    }

    async fn settled(&self) {
        // A closed tracker still takes tasks; it only has to be closed to become empty.
        self.moves.close();
        if tokio::time::timeout(LONGEST_FAREWELL, self.moves.wait())
            .await
            .is_err()
        {
            tracing::debug!("a place in the budget stays taken until it expires");
        }
    }
}
