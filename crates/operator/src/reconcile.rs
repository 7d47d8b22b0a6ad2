//! Drives one `PostHogConnection` through dereference -> validate -> build -> apply -> update_status.

use std::sync::Arc;

use kube::Resource;
use kube::runtime::controller::Action;

use crate::context::{Context, Guarded};
use crate::error::Error;
use crate::{apply, build, dereference, disconnect, identity, malformed, update_status, validate};

/// One reconciliation: reads what it needs, decides, writes what differs, and says when to come back.
pub(crate) async fn reconcile(
    connection: Arc<Guarded>,
    ctx: Arc<Context>,
) -> Result<Action, Error> {
    // Before all else: one that cannot be read can still go.
    if connection.meta().deletion_timestamp.is_some() {
        return disconnect::disconnect(&ctx, connection.meta()).await;
    }
    let connection = match &connection.0 {
        Ok(connection) => connection,
        Err(invalid) => return malformed::tell(&ctx, invalid).await,
    };
    let identity = identity::settle(&ctx, connection).await?;

    // Kubernetes, the store and PostHog are read here, and only here.
    let found = dereference::dereference(&ctx, connection, &identity).await?;
    // Pure: what is wrong, what is due.
    let verdict = validate::validate(connection, &found, ctx.clock.now());
    // Pure: what is to be written.
    let desired = build::build(&identity, connection, &verdict);
    let applied = apply::apply(&ctx, desired).await?;
    update_status::update_status(&ctx, connection, applied).await
}

/// When to try again after an error.
pub(crate) fn error_policy(_: Arc<Guarded>, _: &Error, _: Arc<Context>) -> Action {
    Action::requeue(std::time::Duration::from_secs(5))
}
