//! Marks a connection deleted in the store, so that nobody is answered from it any more.

use std::time::Duration;

use domain::ConnectionName;
use domain::storage::{Deletion, DesiredConnection, Result, StoreError};
use tokio::time::{sleep, timeout};

use crate::context::Context;

/// From one try to the next: a database that restarts is back within a few of them.
const PAUSE: Duration = Duration::from_millis(500);

/// Marks it, with what its spec says at last about its rows; tried for as long as the store is given. A
/// store that does not answer holds nothing up: the sweeper finds what was missed.
pub(super) async fn stop_reads(ctx: &Context, name: &ConnectionName, last_word: Option<Deletion>) {
    let marked = timeout(
        ctx.config.intervals.store_patience,
        mark(ctx, name, last_word),
    );
    let error = match marked.await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the store did not answer in time".to_owned(),
    };
    tracing::warn!(
        connection = %name, error,
        "A connection's reads could not be stopped as it was disconnected; the sweeper will."
    );
}

async fn mark(ctx: &Context, name: &ConnectionName, last_word: Option<Deletion>) -> Result<()> {
    loop {
        match mark_once(ctx, name, last_word).await {
            // It never came as far as the store, so nobody reads it.
            Err(StoreError::NotFound { .. }) => return Ok(()),
            Err(StoreError::Unavailable { .. }) => sleep(PAUSE).await,
            marked => return marked,
        }
    }
}

async fn mark_once(
    ctx: &Context,
    name: &ConnectionName,
    last_word: Option<Deletion>,
) -> Result<()> {
    let store = &ctx.store;
    // Changed and deleted at once, the spec was never reconciled; its rows must not go by the old one.
    if let Some(deletion) = last_word
        && let Some(record) = store.connection(name).await?
        && record.desired.deletion != deletion
    {
        let desired = DesiredConnection {
            deletion,
            ..record.desired
        };
        store.put_connection(&desired, ctx.clock.now()).await?;
    }
    store.mark_deleted(name, ctx.clock.now()).await
}
