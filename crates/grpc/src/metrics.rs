//! The `grpc_server_…` metrics of the Prometheus community: dashboards know them by name.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use crate::proto::DESCRIPTORS;

/// Upper bounds in seconds: a page from a warm cache takes a few milliseconds, the default
/// deadline is 30 s, and streams live for as long as they like.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 600.0,
];

/// The labels of a method. Only methods that exist have their own: paths are the callers' to
/// choose, and would otherwise fill the registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct MethodLabels {
    grpc_type: &'static str,
    grpc_service: String,
    grpc_method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandledLabels {
    grpc_type: &'static str,
    grpc_service: String,
    grpc_method: String,
    grpc_code: &'static str,
}

type Histograms = Family<MethodLabels, Histogram, fn() -> Histogram>;

/// Counts calls by method and code, and how long they took.
#[derive(Debug, Clone)]
pub struct GrpcMetrics {
    methods: Arc<HashMap<String, MethodLabels>>,
    started: Family<MethodLabels, Counter>,
    handled: Family<HandledLabels, Counter>,
    seconds: Histograms,
    identities: IdentityMetrics,
}

/// Where ids were resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResolvedLabels {
    from: &'static str,
}

/// How identities are resolved, and what that takes.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdentityMetrics {
    resolved: Family<ResolvedLabels, Counter>,
    bytes: Gauge,
}

impl IdentityMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("ordinary_posthog");
        registry.register(
            "identities_resolved",
            "Ids that were resolved, from memory or from the store",
            metrics.resolved.clone(),
        );
        registry.register(
            "identity_graph_bytes",
            "Bytes of memory that graphs of identities take",
            metrics.bytes.clone(),
        );
        metrics.answered(0, 0);
        metrics
    }

    /// Counts `keys` that were resolved, so many of them from memory.
    pub(crate) fn answered(&self, from_memory: usize, keys: usize) {
        let from_store = keys.saturating_sub(from_memory);
        for (from, ids) in [("memory", from_memory), ("store", from_store)] {
            let counter = self.resolved.get_or_create(&ResolvedLabels { from });
            counter.inc_by(ids as u64);
        }
    }

    /// Tells how many bytes more or fewer than before all graphs take.
    pub(crate) fn takes(&self, before: usize, now: usize) {
        let bytes = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.bytes.inc_by(bytes(now) - bytes(before));
    }
}

impl GrpcMetrics {
    /// Registers `grpc_server_started_total`, `grpc_server_handled_total`,
    /// `grpc_server_handling_seconds` and what tells how identities are resolved. Every method has its series from the start, so that
    /// alerts on them work before the first call.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            methods: Arc::new(known_methods()),
            started: Family::default(),
            handled: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            identities: IdentityMetrics::register(registry),
        };
        registry.register(
            "grpc_server_started",
            "Calls that reached the server",
            metrics.started.clone(),
        );
        registry.register(
            "grpc_server_handled",
            "Calls that ended, by status code",
            metrics.handled.clone(),
        );
        registry.register(
            "grpc_server_handling_seconds",
            "How long calls took until their last message",
            metrics.seconds.clone(),
        );
        for labels in metrics.methods.values() {
            drop(metrics.started.get_or_create(labels));
            drop(metrics.seconds.get_or_create(labels));
        }
        metrics
    }

    /// How identities are resolved.
    pub(crate) fn identities(&self) -> &IdentityMetrics {
        &self.identities
    }

    /// The labels of the method at `path` (`/package.Service/Method`).
    pub(crate) fn labels(&self, path: &str) -> MethodLabels {
        self.methods.get(path).cloned().unwrap_or(MethodLabels {
            grpc_type: "unary",
            grpc_service: "unknown".to_owned(),
            grpc_method: "unknown".to_owned(),
        })
    }

    pub(crate) fn started(&self, labels: &MethodLabels) {
        self.started.get_or_create(labels).inc();
    }

    pub(crate) fn handled(&self, labels: &MethodLabels, code: Code, seconds: f64) {
        self.seconds.get_or_create(labels).observe(seconds);
        self.handled
            .get_or_create(&HandledLabels {
                grpc_type: labels.grpc_type,
                grpc_service: labels.grpc_service.clone(),
                grpc_method: labels.grpc_method.clone(),
                grpc_code: code_label(code),
            })
            .inc();
    }
}

fn known_methods() -> HashMap<String, MethodLabels> {
    let mut methods = HashMap::new();
    for encoded in [DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET] {
        let files = FileDescriptorSet::decode(encoded).unwrap_or_default().file;
        for file in &files {
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                for method in &service.method {
                    let path = format!("/{name}/{}", method.name());
                    let labels = MethodLabels {
                        grpc_type: if method.server_streaming() {
                            "server_stream"
                        } else {
                            "unary"
                        },
                        grpc_service: name.clone(),
                        grpc_method: method.name().to_owned(),
                    };
                    methods.insert(path, labels);
                }
            }
        }
    }
    methods
}

/// Codes as the Go servers spell them, which the dashboards expect.
fn code_label(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_labels_and_other_paths_share_one() {
        let metrics = GrpcMetrics::register(&mut Registry::default());
        assert_eq!(
            metrics.labels("/ordinary.posthog.v1.EventService/StreamEvents"),
            MethodLabels {
                grpc_type: "server_stream",
                grpc_service: "ordinary.posthog.v1.EventService".to_owned(),
                grpc_method: "StreamEvents".to_owned(),
            }
        );
        assert_eq!(metrics.labels("/a.B/C"), metrics.labels("/"));
    }
}
