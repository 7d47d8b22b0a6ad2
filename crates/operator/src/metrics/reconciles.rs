//! Reconciliations, by controller-runtime's names.

use std::time::Instant;

use domain::ConnectionName;
use kube::runtime::controller::Action;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::CONTROLLER_NAME;
use super::workqueue::Workqueue;
use crate::error::Error;

const CONTROLLER: Controller = Controller {
    controller: CONTROLLER_NAME,
};

/// controller-runtime's own bounds, in seconds, thinned out.
const SECONDS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    controller: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    controller: &'static str,
    reason: &'static str,
}

/// What is counted of reconciliations.
#[derive(Debug, Clone)]
pub(super) struct Reconciles {
    ended: Family<Ended, Counter>,
    errors: Family<Controller, Counter>,
    failures: Family<Failed, Counter>,
    seconds: Family<Controller, Histogram>,
    active: Family<Controller, Gauge>,
    at_once: Family<Controller, Gauge>,
}

impl Default for Reconciles {
    fn default() -> Self {
        Self {
            ended: Family::default(),
            errors: Family::default(),
            failures: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            active: Family::default(),
            at_once: Family::default(),
        }
    }
}

impl Reconciles {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "controller_runtime_reconcile",
            "Reconciliations by result",
            self.ended.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_errors",
            "Reconciliations that failed",
            self.errors.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_time_seconds",
            "How long reconciliations took",
            self.seconds.clone(),
        );
        registry.register(
            "controller_runtime_active_workers",
            "Reconciliations under way",
            self.active.clone(),
        );
        registry.register(
            "controller_runtime_max_concurrent_reconciles",
            "Reconciliations that may run at once",
            self.at_once.clone(),
        );
        registry.register(
            "ordinary_posthog_reconcile_failures",
            "Reconciliations that failed, by reason",
            self.failures.clone(),
        );
        for result in ["success", "requeue_after", "error"] {
            self.ended_so(result).inc_by(0);
        }
        self.errors.get_or_create(&CONTROLLER).inc_by(0);
        self.active.get_or_create(&CONTROLLER).set(0);
        drop(self.seconds.get_or_create(&CONTROLLER));
    }

    pub(super) fn begin(&self, queue: &Workqueue, connection: ConnectionName) -> Reconciling {
        self.active.get_or_create(&CONTROLLER).inc();
        queue.begun(connection.clone());
        Reconciling {
            reconciles: self.clone(),
            queue: queue.clone(),
            connection,
            began: Instant::now(),
        }
    }

    pub(super) fn may_run(&self, at_once: u16) {
        let gauge = self.at_once.get_or_create(&CONTROLLER);
        gauge.set(i64::from(at_once));
    }

    fn ended_so(&self, result: &'static str) -> Counter {
        let controller = CONTROLLER.controller;
        let labels = Ended { controller, result };
        self.ended.get_or_create(&labels).clone()
    }
}

/// A reconciliation under way: its time is observed when it is dropped, however it ends.
#[derive(Debug)]
pub(crate) struct Reconciling {
    reconciles: Reconciles,
    queue: Workqueue,
    connection: ConnectionName,
    began: Instant,
}

impl Reconciling {
    /// It ended so.
    pub(crate) fn ended(&self, outcome: &Result<Action, Error>) {
        let reconciles = &self.reconciles;
        match outcome {
            Ok(action) if *action == Action::await_change() => {
                reconciles.ended_so("success").inc();
            }
            Ok(_) => {
                reconciles.ended_so("requeue_after").inc();
            }
            Err(error) => {
                reconciles.ended_so("error").inc();
                reconciles.errors.get_or_create(&CONTROLLER).inc();
                self.queue.retried();
                let failed = Failed {
                    controller: CONTROLLER.controller,
                    reason: error.reason(),
                };
                reconciles.failures.get_or_create(&failed).inc();
            }
        }
    }
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        let took = self.began.elapsed().as_secs_f64();
        let seconds = &self.reconciles.seconds;
        seconds.get_or_create(&CONTROLLER).observe(took);
        self.reconciles.active.get_or_create(&CONTROLLER).dec();
        self.queue.ended(&self.connection);
    }
}
