//! The connections of the measurements, and the PostHog behind them: a project for each.

use std::collections::HashSet;
use std::pin::pin;

use crd::{ConditionStatus, PostHogConnection};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt};
use posthog_stub::{Event, Key, Project, Stub, StubHandle, World};
use serde_json::{Value, json};

use super::cluster::workspace;
use crate::Outcome;

/// The key that opens every project.
pub(super) const KEY: &str = "phx_0123456789abcdefghijklmnopqrstuvwxyzABCD";
/// The name of each connection in its workspace.
pub(super) const NAME: &str = "storefront";

/// A PostHog with so many projects, each of which has an event.
pub(super) async fn stand_in(projects: usize) -> Outcome<StubHandle> {
    let mut world = World::new().with_key(Key::new(KEY));
    for number in 0..projects {
        let mut project = Project::new(project(number), "Storefront");
        project.insert(Event::new("$pageview", "visitor", Timestamp::now()));
        world.add_project(project);
    }
    Ok(Stub::start(world).await?)
}

/// The project of a connection.
pub(super) fn project(number: usize) -> u64 {
    number as u64 + 1
}

/// The connections of a workspace.
pub(super) fn api(client: &Client, number: usize) -> Api<PostHogConnection> {
    Api::namespaced(client.clone(), &workspace(number))
}

/// What is written in a connection's file.
pub(super) fn document(host: &str, number: usize, refresh: &Value) -> Value {
    json!({
        "apiVersion": crd::API_VERSION,
        "kind": crd::KIND,
        "metadata": {"name": NAME},
        "spec": {
            "host": host,
            "projectId": project(number),
            "apiKeySecretRef": {"name": "posthog"},
            "refresh": refresh,
        },
    })
}

/// Applies a connection, as `kubectl apply --server-side` does.
pub(super) async fn apply(
    client: &Client,
    host: &str,
    number: usize,
) -> Outcome<PostHogConnection> {
    let refresh = json!({"interval": "1h", "lookback": "6h"});
    let document = Patch::Apply(document(host, number, &refresh));
    let params = PatchParams::apply("kubectl");
    let connections = api(client, number);
    Ok(connections.patch(NAME, &params, &document).await?)
}

/// Watches until `wanted` has held of every connection. It is asked about each state of each.
pub(super) async fn until_every(
    client: &Client,
    connections: usize,
    mut wanted: impl FnMut(&PostHogConnection) -> bool,
) -> Outcome<()> {
    let all: Api<PostHogConnection> = Api::all(client.clone());
    let seen = watcher(all, watcher::Config::default()).default_backoff();
    let mut seen = pin!(seen.applied_objects());
    let mut so_far = HashSet::new();
    while so_far.len() < connections {
        let connection = seen.try_next().await?.ok_or("the watch ended")?;
        if wanted(&connection) {
            so_far.insert(connection.namespace());
        }
    }
    Ok(())
}

/// Whether a condition is true of the connection as it is written now.
pub(super) fn holds(connection: &PostHogConnection, kind: &str) -> bool {
    let status = connection.status.as_ref();
    status.is_some_and(|status| {
        status.conditions.iter().any(|condition| {
            condition.kind == kind
                && condition.status == ConditionStatus::True
                && condition.observed_generation == connection.metadata.generation
        })
    })
}
