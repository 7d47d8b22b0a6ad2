//! What this process itself has asked PostHog for, by how each request ended, for `/metrics`. What the Jobs
//! of a cluster ask is counted by their operator when their runs end.

use std::fmt;

use domain::sync::RunTotals;
use posthog::Http;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

/// How a request ended: `complete`, an error's reason, or `Abandoned`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Which of the sums a family tells.
type Value = fn(&RunTotals) -> u64;

/// Counts what is asked through this client.
#[derive(Debug)]
struct PostHogCalls(Http);

/// Registers the counters under `ordinary_posthog_calls…`.
pub(crate) fn register(registry: &mut Registry, http: &Http) {
    registry.register_collector(Box::new(PostHogCalls(http.clone())));
}

impl Collector for PostHogCalls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut asked = self.0.asked();
        // There from the start, so that an alert on its absence means something.
        if !asked.iter().any(|(outcome, _)| *outcome == "complete") {
            asked.push(("complete", RunTotals::default()));
        }
        let families: [(&str, &str, Value); 3] = [
            (
                "ordinary_posthog_calls",
                "Requests that this process sent to PostHog, by how they ended",
                |sum| sum.requests,
            ),
            (
                "ordinary_posthog_calls_bytes_received",
                "Bytes of PostHog's answers to them, decompressed",
                |sum| sum.bytes_received,
            ),
            (
                "ordinary_posthog_calls_bytes_read",
                "Bytes that PostHog says their queries read",
                |sum| sum.bytes_read,
            ),
        ];
        for (name, help, value) in families {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (outcome, sum) in &asked {
                let labels = Outcome { outcome };
                let metric = family.encode_family(&labels)?;
                ConstCounter::new(value(sum)).encode(metric)?;
            }
        }
        Ok(())
    }
}
