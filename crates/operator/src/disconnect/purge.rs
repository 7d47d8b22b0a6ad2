//! Makes the Jobs that remove the rows of connections whose grace period is over.

use std::collections::HashSet;

use domain::ConnectionName;
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::PostParams;

use super::purge_job::purge_job;
use crate::context::Context;
use crate::error::Error;
use crate::jobs::{RunJob, RunKind};

/// Purges at once: they are in no hurry, and share the database with the runs of those who stay.
const AT_ONCE: usize = 4;
/// Connections asked of the store at once.
const PAGE: usize = 100;

/// Starts what is due, as far as there is room. `living` are the connections that the cluster has.
pub(super) async fn purge_due(
    ctx: &Context,
    living: &HashSet<ConnectionName>,
) -> Result<(), Error> {
    let is_running = |job: &RunJob| job.kind == RunKind::Purge && job.is_active();
    let mut room = AT_ONCE.saturating_sub(ctx.jobs.count(is_running));
    let mut after = None;
    while room > 0 {
        let now = ctx.clock.now();
        let due = ctx.store.purges_due(now, after.as_ref(), PAGE).await?;
        let Some(last) = due.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for name in &due {
            let is_left = room == 0 || is_about_to_be_adopted(ctx, name, living).await?;
            if !is_left && start(ctx, name).await? {
                room -= 1;
            }
        }
    }
    Ok(())
}

/// Whether the connection was created again, but did not come as far as the store yet. What it finds
/// there is its own; an earlier life's rows that are half removed are not.
async fn is_about_to_be_adopted(
    ctx: &Context,
    name: &ConnectionName,
    living: &HashSet<ConnectionName>,
) -> Result<bool, Error> {
    if !living.contains(name) {
        return Ok(false);
    }
    let record = ctx.store.connection(name).await?;
    Ok(record.is_some_and(|record| record.deleted_at.is_some()))
}

/// Creates the Job, unless there is one; a Job that failed is in the way of the next until its time to
/// live is over.
async fn start(ctx: &Context, name: &ConnectionName) -> Result<bool, Error> {
    let job = purge_job(name, &ctx.config);
    let job_name = job.metadata.name.as_deref().unwrap_or_default();
    if ctx.jobs.get(job_name).is_some() {
        return Ok(false);
    }
    let jobs: Api<Job> = Api::namespaced(ctx.client.clone(), &ctx.config.namespace);
    match jobs.create(&PostParams::default(), &job).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
        created => {
            created.map_err(Error::api("create the purge Job"))?;
            tracing::info!(
                connection = %name, job = job_name,
                "The grace period of a disconnected connection is over; removing its rows."
            );
            Ok(true)
        }
    }
}
