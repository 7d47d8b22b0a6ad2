//! Compares the store with the cluster, at the start and every minute: connections that went while the
//! operator or the store was away are disconnected, and what is due is purged.

use std::collections::HashSet;
use std::sync::Arc;

use domain::ConnectionName;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use super::loose;
use super::purge::purge_due;
use crate::context::{Context, Guarded};
use crate::error::Error;

/// Connections asked of the store at once.
const PAGE: usize = 500;

/// Sweeps for as long as it is polled: only by the leader. What goes wrong once is tried again.
pub(crate) async fn sweep_forever(ctx: Arc<Context>) {
    // Until all connections were listed, those that live would look as if they had gone.
    ctx.listed.wait().await;
    loop {
        if let Err(error) = sweep(&ctx).await {
            tracing::warn!(
                reason = error.reason(), %error,
                "The store could not be compared with the cluster; trying again."
            );
        }
        tokio::time::sleep(ctx.config.intervals.sweep).await;
    }
}

/// One comparison.
async fn sweep(ctx: &Context) -> Result<(), Error> {
    let living = living(ctx);
    let stored = stored(ctx).await?;
    for name in stored.difference(&living) {
        disconnect_missing(ctx, name).await?;
    }
    for name in living.difference(&stored) {
        wake_revived(ctx, name).await?;
    }
    purge_due(ctx, &living).await
}

/// What the cluster has, those on their way out too: these disconnect by themselves.
fn living(ctx: &Context) -> HashSet<ConnectionName> {
    let state = ctx.connections.state();
    let name = |object: &Arc<Guarded>| {
        let meta = object.meta();
        Some(ConnectionName::new(
            meta.namespace.clone()?,
            meta.name.clone()?,
        ))
    };
    state.iter().filter_map(name).collect()
}

/// What is answered from.
async fn stored(ctx: &Context) -> Result<HashSet<ConnectionName>, Error> {
    let mut all = HashSet::new();
    let mut after = None;
    loop {
        let page = ctx.store.connections(None, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = Some(last.desired.name.clone());
        all.extend(page.into_iter().map(|record| record.desired.name));
    }
}

/// Stops the reads of a connection that the cluster no longer has.
async fn disconnect_missing(ctx: &Context, name: &ConnectionName) -> Result<(), Error> {
    // What was seen last may be older than the store: a connection of this moment is no missing one.
    let found = loose::connections(ctx.client.clone(), &name.namespace)
        .get(&name.name)
        .await;
    match found {
        Err(kube::Error::Api(status)) if status.reason == "NotFound" => {}
        // Also what only looks like "not found": an API server that does not serve our kind just now
        // says so about every connection there is.
        Err(error) => return Err(Error::api("read the connection")(error)),
        Ok(_) => return Ok(()),
    }
    ctx.store.mark_deleted(name, ctx.clock.now()).await?;
    tracing::info!(
        connection = %name,
        "A connection went while nobody could see it; it is disconnected now, and its rows stay for the grace period."
    );
    Ok(())
}

/// Has a connection reconciled that lives in the cluster, but is disconnected in the store.
async fn wake_revived(ctx: &Context, name: &ConnectionName) -> Result<(), Error> {
    let record = ctx.store.connection(name).await?;
    if record.is_some_and(|record| record.deleted_at.is_some()) {
        let reference = ObjectRef::new(&name.name).within(&name.namespace);
        // The receiver is gone only when the operator ends.
        let _ = ctx.wake.send(reference);
    }
    Ok(())
}
