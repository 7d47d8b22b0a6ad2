//! The queue of reconciliations, by controller-runtime's names. kube does not tell what waits in its own, so
//! this follows what goes in (triggers, and the times at which connections are to be looked at again) and
//! what comes out.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::ConnectionName;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::CONTROLLER_NAME;

/// client-go's own bounds of both durations, in seconds.
const SECONDS: [f64; 9] = [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    name: &'static str,
    controller: &'static str,
}

const QUEUE: Queue = Queue {
    name: CONTROLLER_NAME,
    controller: CONTROLLER_NAME,
};

/// What is counted of the queue.
#[derive(Debug, Clone)]
pub(super) struct Workqueue {
    state: Arc<Mutex<State>>,
    adds: Family<Queue, Counter>,
    retries: Family<Queue, Counter>,
    waited: Family<Queue, Histogram>,
    worked: Family<Queue, Histogram>,
}

#[derive(Debug, Default)]
struct State {
    /// When each connection that is not being reconciled is due, or was.
    waiting: HashMap<ConnectionName, Due>,
    /// Since when the others are being reconciled.
    working: HashMap<ConnectionName, Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    /// Whether it comes by its time, and so is not counted as added yet.
    is_timed: bool,
}

impl Default for Workqueue {
    fn default() -> Self {
        let histogram = || Histogram::new(SECONDS);
        Self {
            state: Arc::default(),
            adds: Family::default(),
            retries: Family::default(),
            waited: Family::new_with_constructor(histogram),
            worked: Family::new_with_constructor(histogram),
        }
    }
}

impl Workqueue {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "workqueue_adds",
            "Reconciliations that were asked for; one that waits already is not asked for twice",
            self.adds.clone(),
        );
        registry.register(
            "workqueue_retries",
            "Reconciliations that were asked for again because one failed",
            self.retries.clone(),
        );
        registry.register_with_unit(
            "workqueue_queue_duration",
            "How long reconciliations waited, once they were due",
            Unit::Seconds,
            self.waited.clone(),
        );
        registry.register_with_unit(
            "workqueue_work_duration",
            "How long reconciliations took",
            Unit::Seconds,
            self.worked.clone(),
        );
        registry.register_collector(Box::new(self.clone()));
        self.adds.get_or_create(&QUEUE).inc_by(0);
        self.retries.get_or_create(&QUEUE).inc_by(0);
        drop(self.waited.get_or_create(&QUEUE));
        drop(self.worked.get_or_create(&QUEUE));
    }

    /// Something says that the connection is to be reconciled now.
    pub(super) fn triggered(&self, connection: ConnectionName) {
        let now = Instant::now();
        let due = Due {
            at: now,
            is_timed: false,
        };
        let before = {
            let mut state = self.lock();
            let before = state.waiting.get(&connection).copied();
            if before.is_none_or(|before| before.at > now) {
                state.waiting.insert(connection, due);
            }
            before
        };
        if before.is_none_or(|before| before.at > now) {
            self.adds.get_or_create(&QUEUE).inc();
        }
    }

    /// The connection is to be reconciled again after so long, unless something else comes before.
    pub(super) fn due_in(&self, connection: ConnectionName, pause: Duration) {
        let Some(at) = Instant::now().checked_add(pause) else {
            return;
        };
        let due = Due { at, is_timed: true };
        let mut state = self.lock();
        let waiting = state.waiting.entry(connection).or_insert(due);
        if waiting.at > at {
            *waiting = due;
        }
    }

    /// A failed reconciliation is tried again.
    pub(super) fn retried(&self) {
        self.retries.get_or_create(&QUEUE).inc();
    }

    /// Its reconciliation begins.
    pub(super) fn begun(&self, connection: ConnectionName) {
        let now = Instant::now();
        let was_due = {
            let mut state = self.lock();
            let was_due = state.waiting.remove(&connection);
            state.working.insert(connection, now);
            was_due
        };
        // What nobody was seen to ask for was asked for just now.
        if was_due.is_none_or(|due| due.is_timed) {
            self.adds.get_or_create(&QUEUE).inc();
        }
        let waited = was_due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due.at));
        let seconds = waited.as_secs_f64();
        self.waited.get_or_create(&QUEUE).observe(seconds);
    }

    /// Its reconciliation has ended.
    pub(super) fn ended(&self, connection: &ConnectionName) {
        let begun = self.lock().working.remove(connection);
        if let Some(begun) = begun {
            let seconds = begun.elapsed().as_secs_f64();
            self.worked.get_or_create(&QUEUE).observe(seconds);
        }
    }

    /// There is no such connection any more, so that it is not reconciled.
    pub(super) fn gone(&self, connection: &ConnectionName) {
        self.lock().waiting.remove(connection);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Workqueue {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = Instant::now();
        let (depth, working) = {
            let state = self.lock();
            let depth = state.waiting.values().filter(|due| due.at <= now).count();
            let working: Vec<f64> = state
                .working
                .values()
                .map(|begun| now.saturating_duration_since(*begun).as_secs_f64())
                .collect();
            (i64::try_from(depth).unwrap_or(i64::MAX), working)
        };
        let mut family = encoder.encode_descriptor(
            "workqueue_depth",
            "Reconciliations that are due and have not begun",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(depth).encode(family.encode_family(&QUEUE)?)?;
        for (name, help, seconds) in [
            (
                "workqueue_unfinished_work_seconds",
                "Seconds that the reconciliations under way have taken so far, all together",
                // A plain sum of nothing is -0.
                working.iter().fold(0.0, |sum, seconds| sum + seconds),
            ),
            (
                "workqueue_longest_running_processor_seconds",
                "Seconds that the longest of the reconciliations under way has taken so far",
                working.iter().copied().fold(0.0, f64::max),
            ),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(seconds).encode(family.encode_family(&QUEUE)?)?;
        }
        Ok(())
    }
}
