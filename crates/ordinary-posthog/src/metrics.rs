//! What runs did, as counters for `/metrics`. No label names a connection: their number has no bound.

use std::sync::Arc;

use domain::ConnectionName;
use domain::sync::SyncMode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use sync::progress::{Progress, Update};

/// How an attempt ended: `complete`, or the error's reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Passes everything on to another and counts it.
pub(crate) struct Metered {
    inner: Arc<dyn Progress>,
    attempts: Family<Outcome, Counter>,
    backfills: Counter,
    events_read: Counter,
    events_stored: Counter,
    duplicates: Counter,
    late_events: Counter,
    requests: Counter,
    bytes_received: Counter,
    bytes_read: Counter,
}

impl Metered {
    /// Registers the counters under `ordinary_posthog_…`.
    pub(crate) fn register(registry: &mut Registry, inner: Arc<dyn Progress>) -> Self {
        let registry = registry.sub_registry_with_prefix("ordinary_posthog");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let metered = Self {
            backfills: counter("backfills", "Backfills that are complete"),
            events_read: counter("events_read", "Rows that PostHog answered"),
            events_stored: counter("events_stored", "Events stored that were not there before"),
            duplicates: counter(
                "duplicates",
                "Rows that were there already or lost against another of the same uuid",
            ),
            late_events: counter(
                "late_events",
                "Events stored that are stamped before their run's window",
            ),
            requests: counter(
                "posthog_requests",
                "Requests sent to PostHog by complete runs",
            ),
            bytes_received: counter(
                "posthog_bytes_received",
                "Bytes of PostHog's answers to complete runs, decompressed",
            ),
            bytes_read: counter(
                "posthog_bytes_read",
                "Bytes that PostHog says the queries of complete runs read",
            ),
            attempts: Family::default(),
            inner,
        };
        registry.register(
            "attempts",
            "Checks and runs that ended, by outcome",
            metered.attempts.clone(),
        );
        metered
    }

    fn count(&self, update: &Update) {
        let outcome = match update {
            Update::Finished(summary) => {
                if summary.mode == SyncMode::Backfill {
                    self.backfills.inc();
                }
                let totals = &summary.totals;
                self.events_read.inc_by(totals.events_read);
                self.events_stored.inc_by(totals.events_stored);
                self.duplicates.inc_by(totals.duplicates);
                self.late_events.inc_by(totals.late_events);
                self.requests.inc_by(totals.requests);
                self.bytes_received.inc_by(totals.bytes_received);
                self.bytes_read.inc_by(totals.bytes_read);
                "complete"
            }
            Update::Failed { reason, .. } => reason,
            _ => return,
        };
        self.attempts.get_or_create(&Outcome { outcome }).inc();
    }
}

impl Progress for Metered {
    fn report(&self, connection: &ConnectionName, update: Update) {
        self.count(&update);
        self.inner.report(connection, update);
    }
}
