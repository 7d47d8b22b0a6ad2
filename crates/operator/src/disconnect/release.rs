//! Takes our finalizer off every connection before the operator is uninstalled: the connections stay,
//! and nothing that deletes one of them later waits for an operator that is no more.

use std::time::Duration;

use crd::PostHogConnection;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::annotations::FINALIZER;
use crate::error::Error;
use crate::identity::remove_finalizer;

/// Connections listed at once.
const PAGE: u32 = 500;
/// From one look at a Deployment that is being stopped to the next.
const POLL: Duration = Duration::from_millis(500);
/// A pod that was told to stop hears of it and ends the write that it is at within this.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// Scales the operator's Deployment to nothing and returns once it has no pods but such as were told to
/// stop; one that is not there is stopped. A running operator would put finalizers on again.
///
/// # Errors
/// [`Error`] when the API server refuses.
pub async fn stop_operator(
    client: &kube::Client,
    namespace: &str,
    deployment: &str,
) -> Result<(), Error> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    match api
        .patch_scale(deployment, &PatchParams::default(), &none)
        .await
    {
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
        scaled => scaled.map_err(Error::api("stop the operator's Deployment"))?,
    };
    loop {
        let found = api
            .get_opt(deployment)
            .await
            .map_err(Error::api("read the operator's Deployment"))?;
        if found.is_none_or(|found| has_stopped(&found)) {
            tokio::time::sleep(LAST_WRITES).await;
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Takes our finalizer off every connection of the cluster, also those that come meanwhile; says of how
/// many.
///
/// # Errors
/// [`Error`] when the API server refuses; what was released stays released.
pub async fn release_finalizers(client: &kube::Client) -> Result<usize, Error> {
    let mut released = 0;
    loop {
        let more = release_once(client).await?;
        if more == 0 {
            return Ok(released);
        }
        released += more;
    }
}

async fn release_once(client: &kube::Client) -> Result<usize, Error> {
    let api: Api<PostHogConnection> = Api::all(client.clone());
    let mut released = 0;
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let found = match api.list_metadata(&page).await {
            // Without the definition there are no connections.
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(released),
            found => found.map_err(Error::api("list the connections"))?,
        };
        for connection in &found.items {
            if has_ours(&connection.metadata) {
                release(client, connection).await?;
                released += 1;
            }
        }
        match found.metadata.continue_ {
            Some(next) if !next.is_empty() => page = page.continue_token(&next),
            _ => return Ok(released),
        }
    }
}

/// Takes it off the version that was listed, or off the one that it has become meanwhile.
async fn release(
    client: &kube::Client,
    listed: &PartialObjectMeta<PostHogConnection>,
) -> Result<(), Error> {
    let mut meta = listed.metadata.clone();
    loop {
        let refused = match remove_finalizer(client, &meta).await {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        let namespace = listed.namespace().ok_or(Error::Incomplete("namespace"))?;
        let api: Api<PostHogConnection> = Api::namespaced(client.clone(), &namespace);
        let now = api
            .get_metadata_opt(&listed.name_any())
            .await
            .map_err(Error::api("read the connection"))?;
        match now {
            Some(now) if !has_ours(&now.metadata) => return Ok(()),
            Some(now) if now.metadata.resource_version != meta.resource_version => {
                meta = now.metadata;
            }
            Some(_) => return Err(refused),
            None => return Ok(()),
        }
    }
}

fn has_ours(meta: &ObjectMeta) -> bool {
    let mut finalizers = meta.finalizers.iter().flatten();
    finalizers.any(|name| name == FINALIZER)
}

/// Whether the Deployment's controller has seen that nothing is wanted, and has nothing.
fn has_stopped(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation >= deployment.metadata.generation
        && status.replicas.unwrap_or_default() == 0
        && status.terminating_replicas.unwrap_or_default() == 0
}
