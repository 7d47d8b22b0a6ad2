//! Ends what still runs for a connection, and our copies of its key with it.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

use crate::annotations::labels;
use crate::context::Context;
use crate::error::Error;
use crate::identity::Identity;

/// Deletes every Job of the connection and, before it, the Secret of the same name that holds our copy
/// of the key: at once, not when the garbage collector comes by. Asks the API server which there are,
/// as a Job of a moment ago may not have been seen yet.
pub(super) async fn remove_jobs(ctx: &Context, identity: &Identity) -> Result<(), Error> {
    let namespace = &ctx.config.namespace;
    let jobs: Api<Job> = Api::namespaced(ctx.client.clone(), namespace);
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    let ours = format!("{}={}", labels::CONNECTION_UID, identity.uid);
    let found = jobs
        .list_metadata(&ListParams::default().labels(&ours))
        .await
        .map_err(Error::api("list the connection's Jobs"))?;
    for job in found.items {
        let name = job.metadata.name.ok_or(Error::Incomplete("name"))?;
        let secret = secrets.delete(&name, &DeleteParams::default()).await;
        gone(secret).map_err(Error::api("delete the Secret of a Job"))?;
        let job = jobs.delete(&name, &DeleteParams::background()).await;
        gone(job).map_err(Error::api("delete a Job"))?;
    }
    Ok(())
}

/// What is gone already need not be deleted.
fn gone<T>(deleted: kube::Result<T>) -> kube::Result<()> {
    match deleted {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}
