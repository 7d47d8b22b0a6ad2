//! Lets a deleted connection go: its reads stop, its Jobs end, its key is forgotten, and only then the
//! finalizer goes. Nothing here waits for PostHog or for the store.

mod forget_key;
mod guard;
mod last_applied;
mod loose;
mod owners;
mod purge;
mod purge_job;
pub(crate) mod release;
mod remove_jobs;
mod report;
mod stop_reads;
pub(crate) mod sweeper;

use kube::core::ObjectMeta;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use crate::annotations::FINALIZER;
use crate::context::Context;
use crate::error::Error;
use crate::identity::{self, Identity};

/// Called whenever a connection that has a deletion timestamp is reconciled, until it is gone. Each step
/// can be repeated, so that after a crash between any two of them all are taken again.
pub(crate) async fn disconnect(ctx: &Context, seen: &ObjectMeta) -> Result<Action, Error> {
    let identity = Identity::of(seen)?;
    let name = &identity.name;
    // What was seen may be of a former life: nothing is taken from a connection that was recreated.
    let going = loose::connections(ctx.client.clone(), &name.namespace)
        .get_opt(&name.name)
        .await
        .map_err(Error::api("read the connection"))?
        .filter(|found| found.metadata.uid.as_ref() == Some(&identity.uid))
        .filter(|found| found.finalizers().iter().any(|held| held == FINALIZER));
    let Some(going) = going else {
        return Ok(Action::await_change());
    };

    let last_word = loose::deletion(&going, &name.namespace);
    stop_reads::stop_reads(ctx, name, last_word).await;
    remove_jobs::remove_jobs(ctx, &identity).await?;
    // With a namespace all Secrets of it go, and no Event can be created in it any more.
    let is_terminating = ctx
        .namespaces
        .get(&name.namespace)
        .is_some_and(|workspace| workspace.is_terminating);
    if !is_terminating {
        let outcome = forget_key::forget_key(ctx, &identity, &going).await?;
        if let Some(event) = report::event(name, &outcome) {
            let about = going.object_ref(&loose::resource());
            ctx.events.publish_about(&about, &event);
        }
    }
    identity::remove_finalizer(&ctx.client, &going.metadata).await?;
    tracing::info!(connection = %name, "A connection was disconnected; its rows stay for now.");
    Ok(Action::await_change())
}
