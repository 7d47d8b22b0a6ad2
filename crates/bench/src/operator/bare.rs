//! The same writes as the operator's by a plain loop that decides nothing and reads nothing.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::cluster::{OWN, workspace};
use super::connections::{NAME, api};
use super::templates::Templates;
use crate::Outcome;

/// As many as the operator reconciles at once by default.
const AT_ONCE: usize = 32;
/// As many Events as the operator sends at once, beside that.
const EVENTS_AT_ONCE: usize = 16;

/// A connection that was applied.
pub(super) struct Applied {
    pub(super) number: usize,
    pub(super) uid: String,
}

/// Writes for each connection that comes what was written for one, until no more come.
pub(super) async fn write(
    client: &Client,
    templates: Templates,
    applied: UnboundedReceiver<Applied>,
) -> Outcome<()> {
    let templates = Arc::new(templates);
    let places = Arc::new(Semaphore::new(EVENTS_AT_ONCE));
    let (told, mut to_tell) = tokio::sync::mpsc::unbounded_channel();
    let mut telling = JoinSet::new();
    let events = {
        let (client, templates) = (client.clone(), Arc::clone(&templates));
        async move {
            while let Some(about) = to_tell.recv().await {
                let place = Arc::clone(&places).acquire_owned().await?;
                let (client, templates) = (client.clone(), Arc::clone(&templates));
                telling.spawn(async move {
                    let outcome = tell(&client, &templates, &about).await;
                    drop(place);
                    outcome.map_err(|error| error.to_string())
                });
            }
            while let Some(outcome) = telling.join_next().await {
                outcome??;
            }
            Ok(())
        }
    };
    let objects = async move {
        UnboundedReceiverStream::new(applied)
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, |about| {
                let (told, templates) = (told.clone(), &templates);
                async move {
                    one(client, templates, &about).await?;
                    told.send(about)?;
                    Outcome::Ok(())
                }
            })
            .await
    };
    tokio::try_join!(objects, events)?;
    Ok(())
}

async fn one(client: &Client, templates: &Templates, about: &Applied) -> Outcome<()> {
    let connections = api(client, about.number);
    let params = PatchParams::default();
    let wanted = json!(templates.finalizers);
    let finalizers = patch(about, "/metadata/finalizers", &wanted)?;
    connections
        .patch_metadata(NAME, &params, &finalizers)
        .await?;
    let (first, others) = templates.statuses.split_first().ok_or("no status")?;
    let status = patch(about, "/status", first)?;
    connections.patch_status(NAME, &params, &status).await?;

    let name = format!("{NAME}-{}-backfill-g1", &about.uid[..8]);
    let jobs: Api<Job> = Api::namespaced(client.clone(), OWN);
    let mut job = templates.job.clone();
    job.metadata.name = Some(name.clone());
    if let Some(volumes) = job
        .spec
        .as_mut()
        .and_then(|spec| spec.template.spec.as_mut()?.volumes.as_mut())
    {
        for volume in volumes
            .iter_mut()
            .filter_map(|volume| volume.secret.as_mut())
        {
            volume.secret_name = Some(name.clone());
        }
    }
    let job = jobs.create(&PostParams::default(), &job).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), OWN);
    let mut secret = templates.secret.clone();
    secret.metadata.name = Some(name.clone());
    secret.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        name,
        uid: job.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }]);
    secrets.create(&PostParams::default(), &secret).await?;
    for status in others {
        let status = patch(about, "/status", status)?;
        connections.patch_status(NAME, &params, &status).await?;
    }
    Ok(())
}

async fn tell(client: &Client, templates: &Templates, about: &Applied) -> Outcome<()> {
    let namespace = workspace(about.number);
    let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
    for template in &templates.events {
        let mut event = template.clone();
        event.metadata.namespace = Some(namespace.clone());
        if let Some(regarding) = event.regarding.as_mut() {
            regarding.namespace = Some(namespace.clone());
            regarding.uid = Some(about.uid.clone());
        }
        events.create(&PostParams::default(), &event).await?;
    }
    Ok(())
}

fn patch(about: &Applied, path: &str, value: &Value) -> Outcome<Patch<()>> {
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": about.uid},
        {"op": "add", "path": path, "value": value},
    ]);
    Ok(Patch::Json(serde_json::from_value(operations)?))
}
