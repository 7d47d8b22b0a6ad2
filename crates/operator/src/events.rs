//! Kubernetes Events on connections, so that `kubectl describe` tells what happened.

use crd::PostHogConnection;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event as KubeEvent, EventType, Recorder, Reporter};

use crate::annotations::FIELD_MANAGER;
use crate::config::OperatorConfig;

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

/// Publishes events.
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// Publishes as this operator.
    pub fn new(client: kube::Client, config: &OperatorConfig) -> Self {
        let reporter = Reporter {
            controller: FIELD_MANAGER.to_owned(),
            instance: Some(config.identity.clone()),
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Publishes one event on a connection. Events are news, not state: one that is refused is logged.
    pub async fn publish(&self, connection: &PostHogConnection, event: &Event) {
        self.publish_about(&connection.object_ref(&()), event).await;
    }

    /// The same on a connection that is known by reference.
    pub(crate) async fn publish_about(&self, about: &ObjectReference, event: &Event) {
        let told = KubeEvent {
            type_: event.kind,
            reason: event.reason.to_owned(),
            note: Some(event.note.clone()),
            action: event.action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&told, about).await {
            tracing::warn!(
                reason = event.reason,
                error = crate::error::describe(&error),
                "An Event could not be published."
            );
        }
    }
}
