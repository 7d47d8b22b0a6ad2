//! Kubernetes Events on connections, so that `kubectl describe` tells what happened. They are news and not
//! state: nothing waits for them, and one that cannot be published harms nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crd::PostHogConnection;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event as KubeEvent, EventType, Recorder, Reporter};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::annotations::FIELD_MANAGER;
use crate::config::OperatorConfig;
use crate::error::describe;
use crate::metrics::Metrics;

/// Events published at once: thousands of connections that change together must not keep the API server
/// from what matters.
const AT_ONCE: usize = 16;
/// Events that wait for that; further ones are dropped and counted.
const WAITING: usize = 4096;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Something that happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether somebody should look at it.
    pub kind: EventType,
    /// The condition's or error's reason.
    pub reason: &'static str,
    /// What the operator did or tried, such as `Check` or `CreateJob`.
    pub action: &'static str,
    /// One sentence; never a key.
    pub note: String,
}

/// Publishes events. The same event on the same connection within some minutes is told once, with a count.
pub struct Events {
    publisher: Arc<Publisher>,
    tasks: TaskTracker,
}

struct Publisher {
    recorder: Recorder,
    places: Semaphore,
    metrics: Metrics,
    /// The API server forbids events; told once until it allows one again.
    is_forbidden: AtomicBool,
}

impl Events {
    /// Publishes as this operator.
    pub fn new(client: kube::Client, config: &OperatorConfig, metrics: Metrics) -> Self {
        let reporter = Reporter {
            controller: FIELD_MANAGER.to_owned(),
            instance: Some(config.identity.clone()),
        };
        Self {
            publisher: Arc::new(Publisher {
                recorder: Recorder::new(client, reporter),
                places: Semaphore::new(AT_ONCE),
                metrics,
                is_forbidden: AtomicBool::new(false),
            }),
            tasks: TaskTracker::new(),
        }
    }

    /// Publishes an event on a connection, without waiting for it.
    pub fn publish(&self, connection: &PostHogConnection, event: &Event) {
        self.publish_about(&connection.object_ref(&()), event);
    }

    /// The same on a connection that is known by reference.
    pub(crate) fn publish_about(&self, about: &ObjectReference, event: &Event) {
        if self.tasks.len() >= WAITING {
            self.publisher.metrics.event("dropped");
            return;
        }
        let told = KubeEvent {
            type_: event.kind,
            reason: event.reason.to_owned(),
            note: Some(shorten(&event.note).to_owned()),
            action: event.action.to_owned(),
            secondary: None,
        };
        let (publisher, about) = (Arc::clone(&self.publisher), about.clone());
        self.tasks
            .spawn(async move { publisher.publish(&told, &about).await });
    }

    /// Waits until everything is published, or given up. Nothing should be published any more.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Publisher {
    async fn publish(&self, event: &KubeEvent, about: &ObjectReference) {
        // Never closed.
        let Ok(_place) = self.places.acquire().await else {
            return;
        };
        let reason = &event.reason;
        match timeout(PATIENCE, self.recorder.publish(event, about)).await {
            Ok(Ok(())) => {
                self.is_forbidden.store(false, Ordering::Relaxed);
                self.metrics.event("published");
            }
            Ok(Err(error)) => {
                self.metrics.event("refused");
                self.tell(reason, &error);
            }
            Err(_) => {
                self.metrics.event("refused");
                tracing::debug!(
                    reason,
                    "An Event was given up: the API server does not answer."
                );
            }
        }
    }

    /// Logs why an Event was not published; whether it was worth a warning.
    fn tell(&self, reason: &str, error: &kube::Error) -> bool {
        let said = describe(error);
        let is_forbidden = matches!(error, kube::Error::Api(status) if status.code == 403)
            // A namespace that is going takes no new objects; that is nobody's mistake.
            && !said.contains("being terminated");
        let is_news = is_forbidden && !self.is_forbidden.swap(true, Ordering::Relaxed);
        if is_news {
            tracing::warn!(
                error = said,
                "Events are forbidden: grant the operator create and patch on events of events.k8s.io. Everything else goes on."
            );
        } else {
            tracing::debug!(reason, error = said, "An Event could not be published.");
        }
        is_news
    }
}

/// As much of a note as an Event takes.
fn shorten(note: &str) -> &str {
    &note[..note.floor_char_boundary(LONGEST_NOTE)]
}

#[cfg(test)]
mod tests;
