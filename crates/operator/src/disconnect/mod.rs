//! Lets a deleted connection go: its reads stop and the finalizer is removed.

use crd::PostHogConnection;
use kube::runtime::controller::Action;

use crate::context::Context;
use crate::error::Error;
use crate::identity::{Identity, remove_finalizer};

/// Called whenever a connection that has a deletion timestamp is reconciled, until it is gone.
pub(crate) async fn disconnect(
    ctx: &Context,
    connection: &PostHogConnection,
) -> Result<Action, Error> {
    let identity = Identity::of(connection)?;
    let record = ctx.store.connection(&identity.name).await?;
    if record.is_some_and(|record| record.deleted_at.is_none()) {
        ctx.store
            .mark_deleted(&identity.name, ctx.clock.now())
            .await?;
    }
    remove_finalizer(ctx, connection).await?;
    Ok(Action::await_change())
}
