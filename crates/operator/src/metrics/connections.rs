//! What the status of all connections says together, worked out whenever somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crd::{Condition, ConditionStatus, PostHogConnection, reasons};
use jiff::Timestamp;
use kube::runtime::reflector;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::context::Guarded;

/// Why a connection is not ready that may have a good key and plan, and is not pulled all the same.
const KEEP_FROM_RUNNING: [&str; 3] = [
    reasons::INVALID_SPEC,
    reasons::SUSPENDED,
    reasons::NAMESPACE_TERMINATING,
];

/// The connections of the cluster, once they are watched.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<OnceLock<reflector::Store<Guarded>>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct Ready {
    /// `True`, `False`, `Unknown`; `Unreadable` where the object does not fit its definition.
    ready: &'static str,
}

impl Connections {
    /// The first watch of a process counts; there is one.
    pub(super) fn watch(&self, connections: reflector::Store<Guarded>) {
        let _ = self.0.set(connections);
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.0.get().map(reflector::Store::state);
        let all = all.unwrap_or_default();
        let mut counts = BTreeMap::from(
            ["True", "False", "Unknown", "Unreadable"].map(|ready| (Ready { ready }, 0_i64)),
        );
        let mut lag = 0.0_f64;
        let now = Timestamp::now();
        for connection in &all {
            let ready = match &connection.0 {
                Ok(connection) => {
                    lag = lag.max(lag_of(connection, now));
                    ready_of(connection)
                }
                Err(_) => "Unreadable",
            };
            *counts.entry(Ready { ready }).or_default() += 1;
        }
        let mut family = encoder.encode_descriptor(
            "ordinary_posthog_connections",
            "Connections by the status of their condition Ready",
            None,
            MetricType::Gauge,
        )?;
        for (labels, count) in counts {
            let metric = family.encode_family(&labels)?;
            ConstGauge::new(count).encode(metric)?;
        }
        let metric = encoder.encode_descriptor(
            "ordinary_posthog_sync_lag_seconds_max",
            "Seconds for which the connection that waits longest for a complete run has waited, of those that can be read",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(lag).encode(metric)
    }
}

fn ready_of(connection: &PostHogConnection) -> &'static str {
    match condition(connection, crd::READY).map(|condition| condition.status) {
        Some(ConditionStatus::True) => "True",
        Some(ConditionStatus::False) => "False",
        _ => "Unknown",
    }
}

/// Seconds since the last run, or since runs became possible; none for a connection that cannot be pulled
/// now, which nobody is late for, and for one whose first backfill is under way.
fn lag_of(connection: &PostHogConnection, now: Timestamp) -> f64 {
    waits_since(connection).map_or(0.0, |since| {
        now.duration_since(since).as_secs_f64().max(0.0)
    })
}

fn waits_since(connection: &PostHogConnection) -> Option<Timestamp> {
    let because = |kind: &str, reasons: &[&str]| {
        condition(connection, kind).is_some_and(|found| reasons.contains(&found.reason.as_str()))
    };
    let is_kept = connection.spec.suspend
        || connection.metadata.deletion_timestamp.is_some()
        || because(crd::READY, &KEEP_FROM_RUNNING);
    if is_kept {
        return None;
    }
    let readable = since_true(connection, crd::CREDENTIALS_VALID)?
        .max(since_true(connection, crd::PLAN_ELIGIBLE)?);
    match &connection.status.as_ref()?.last_sync {
        Some(last) => Some(last.completion_time.max(readable)),
        None if because(crd::BACKFILL_COMPLETE, &[reasons::BACKFILL_RUNNING]) => None,
        None => Some(readable),
    }
}

fn since_true(connection: &PostHogConnection, kind: &str) -> Option<Timestamp> {
    condition(connection, kind)
        .filter(|condition| condition.status == ConditionStatus::True)
        .map(|condition| condition.last_transition_time)
}

fn condition<'a>(connection: &'a PostHogConnection, kind: &str) -> Option<&'a Condition> {
    let conditions = &connection.status.as_ref()?.conditions;
    conditions.iter().find(|condition| condition.kind == kind)
}
