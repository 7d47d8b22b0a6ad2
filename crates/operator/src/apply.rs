//! Writes what was built, but for the status: that is written last, of what was really applied.

use domain::storage::StoreError;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};

use crate::annotations::FIELD_MANAGER;
use crate::build::{Desired, PreparedRun, PreparedSecret, secret};
use crate::context::Context;
use crate::error::{Error, describe};
use crate::jobs;

/// What became of the run that was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Applied {
    /// None was.
    Nothing,
    /// Its Job is there.
    Started,
    /// It waits for a place.
    Waiting,
    /// The API server does not take its Job, such as for a quota.
    Refused {
        /// What it said.
        message: String,
    },
}

/// Writes it.
///
/// # Errors
/// When the API server or the store does not answer; what was written until then stays, and is found by
/// the next reconciliation.
pub(crate) async fn apply(ctx: &Context, desired: Desired) -> Result<Applied, Error> {
    for name in &desired.stop {
        delete_job(ctx, name).await?;
    }
    tell_store(ctx, &desired).await?;
    if let Some(missing) = &desired.missing
        && let Some(job) = ctx.jobs.get(&missing.name)
    {
        create_secret(ctx, missing, &job.uid).await?;
    }
    let connection = desired.identity.name.to_string();
    match desired.run {
        None => {
            ctx.slots
                .leave(&connection, |creating| ctx.places_taken(creating));
            Ok(Applied::Nothing)
        }
        Some(run) => start(ctx, &connection, &run).await,
    }
}

async fn tell_store(ctx: &Context, desired: &Desired) -> Result<(), StoreError> {
    let (store, name) = (&ctx.store, &desired.identity.name);
    if let Some(record) = &desired.record {
        store.put_connection(record, ctx.clock.now()).await?;
    }
    match &desired.checked {
        None => Ok(()),
        Some(Ok(summary)) => store.record_check(name, summary).await,
        Some(Err(failure)) => store.record_failure(name, Some(failure)).await,
    }
}

/// The Job first: its name decides that there is only one. Its pod waits for the Secret.
async fn start(ctx: &Context, connection: &str, run: &PreparedRun) -> Result<Applied, Error> {
    let permit = ctx.slots.take(connection, run.due_at, |creating| {
        ctx.places_taken(creating)
    });
    let Some(permit) = permit else {
        return Ok(Applied::Waiting);
    };
    let started = create(ctx, run).await;
    if !matches!(started, Ok(Applied::Started)) {
        drop(permit);
        ctx.slots.freed(|creating| ctx.places_taken(creating));
    }
    started
}

async fn create(ctx: &Context, run: &PreparedRun) -> Result<Applied, Error> {
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), &ctx.config.namespace);
    let name = &run.secret.name;
    let job = match api.create(&params(), &run.job).await {
        Ok(job) => job,
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            api.get(name).await.map_err(Error::api("read the Job"))?
        }
        Err(error) if is_refusal(&error) => {
            return Ok(Applied::Refused {
                message: describe(&error),
            });
        }
        Err(error) => return Err(Error::api("create the Job")(error)),
    };
    let uid = job.metadata.uid.clone().unwrap_or_default();
    if let Some((name, job)) = jobs::reduce(&job) {
        ctx.jobs.note(name, job);
    }
    match create_secret(ctx, &run.secret, &uid).await {
        Ok(()) => Ok(Applied::Started),
        // Without its Secret the pod would wait for its deadline.
        Err(Error::Kubernetes { source, .. }) if is_refusal(&source) => {
            delete_job(ctx, name).await?;
            Ok(Applied::Refused {
                message: describe(&source),
            })
        }
        Err(error) => Err(error),
    }
}

async fn create_secret(ctx: &Context, prepared: &PreparedSecret, uid: &str) -> Result<(), Error> {
    let namespace = &ctx.config.namespace;
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    let secret = secret(
        namespace,
        &prepared.name,
        uid,
        &prepared.labels,
        &prepared.document,
        &prepared.key,
    );
    match api.create(&params(), &secret).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => return Err(Error::api("create the Job's Secret")(error)),
    }
    ctx.provisioned.insert(&prepared.name);
    Ok(())
}

/// Deletes a Job of ours with its pods; one that is gone already is no error.
pub(crate) async fn delete_job(ctx: &Context, name: &str) -> Result<(), Error> {
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), &ctx.config.namespace);
    match api.delete(name, &DeleteParams::background()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api("delete the Job")(error)),
    }
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// Whether the API server understood and says no: asking again brings the same until somebody acts.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden() || status.is_invalid())
}
