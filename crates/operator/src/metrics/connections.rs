//! What the status of all connections says together, worked out whenever somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crd::{ConditionStatus, PostHogConnection};
use jiff::Timestamp;
use kube::runtime::reflector;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::context::Guarded;

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
            "Seconds since the least recently synced connection's last complete run",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(lag).encode(metric)
    }
}

fn ready_of(connection: &PostHogConnection) -> &'static str {
    let conditions = connection
        .status
        .iter()
        .flat_map(|status| &status.conditions);
    let ready = conditions
        .into_iter()
        .find(|condition| condition.kind == crd::READY);
    match ready.map(|condition| &condition.status) {
        Some(ConditionStatus::True) => "True",
        Some(ConditionStatus::False) => "False",
        _ => "Unknown",
    }
}

/// Seconds since the last run; none for a connection that has never been synced or is paused.
fn lag_of(connection: &PostHogConnection, now: Timestamp) -> f64 {
    let last = connection
        .status
        .as_ref()
        .and_then(|status| status.last_sync.as_ref())
        .filter(|_| !connection.spec.suspend);
    last.map_or(0.0, |last| {
        now.duration_since(last.completion_time)
            .as_secs_f64()
            .max(0.0)
    })
}
