//! Checks, runs of Jobs and what they stored, and Events.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

pub(crate) use domain::sync::RunTotals;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Run {
    kind: &'static str,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Told {
    outcome: &'static str,
}

/// What is counted of PostHog and of runs. Outcomes are `complete` or reasons, of which there are few.
#[derive(Debug, Clone, Default)]
pub(super) struct Syncs {
    checks: Family<Outcome, Counter>,
    runs: Family<Run, Counter>,
    events_read: Counter,
    events_stored: Counter,
    duplicates: Counter,
    late_events: Counter,
    requests: Counter,
    bytes_received: Counter,
    bytes_read: Counter,
    told: Family<Told, Counter>,
}

impl Syncs {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("ordinary_posthog");
        registry.register(
            "checks",
            "Times that PostHog was asked about a key and its project, by outcome",
            self.checks.clone(),
        );
        registry.register(
            "runs",
            "Runs of Jobs that ended, by kind and outcome",
            self.runs.clone(),
        );
        registry.register(
            "kubernetes_events",
            "Kubernetes Events on connections, by what became of them",
            self.told.clone(),
        );
        for (name, help, counter) in [
            (
                "events_read",
                "Rows that PostHog answered",
                &self.events_read,
            ),
            (
                "events_stored",
                "Events stored that were not there before",
                &self.events_stored,
            ),
            (
                "duplicates",
                "Rows that were there already or lost against another of the same uuid",
                &self.duplicates,
            ),
            (
                "late_events",
                "Events stored that are stamped before their run's window",
                &self.late_events,
            ),
            (
                "posthog_requests",
                "Requests sent to PostHog by complete runs",
                &self.requests,
            ),
            (
                "posthog_bytes_received",
                "Bytes of PostHog's answers to complete runs, decompressed",
                &self.bytes_received,
            ),
            (
                "posthog_bytes_read",
                "Bytes that PostHog says the queries of complete runs read",
                &self.bytes_read,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        let outcome = "complete".to_owned();
        self.checks.get_or_create(&Outcome { outcome }).inc_by(0);
        for kind in ["backfill", "refresh", "remap", "purge"] {
            let outcome = "complete".to_owned();
            self.runs.get_or_create(&Run { kind, outcome }).inc_by(0);
        }
        for outcome in ["published", "refused", "dropped"] {
            self.told.get_or_create(&Told { outcome }).inc_by(0);
        }
    }

    pub(super) fn checked(&self, outcome: &str) {
        let outcome = outcome.to_owned();
        self.checks.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn ended(&self, kind: &'static str, outcome: &str, totals: &RunTotals) {
        let outcome = outcome.to_owned();
        self.runs.get_or_create(&Run { kind, outcome }).inc();
        self.events_read.inc_by(totals.events_read);
        self.events_stored.inc_by(totals.events_stored);
        self.duplicates.inc_by(totals.duplicates);
        self.late_events.inc_by(totals.late_events);
        self.requests.inc_by(totals.requests);
        self.bytes_received.inc_by(totals.bytes_received);
        self.bytes_read.inc_by(totals.bytes_read);
    }

    pub(super) fn event(&self, outcome: &'static str) {
        self.told.get_or_create(&Told { outcome }).inc();
    }
}
