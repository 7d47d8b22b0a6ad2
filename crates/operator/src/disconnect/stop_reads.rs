//! Marks a connection deleted in the store, so that nobody is answered from it any more.

use std::time::Duration;

use domain::ConnectionName;
use domain::storage::{Result, StoreError};
use tokio::time::{sleep, timeout};

use crate::context::Context;

/// From one try to the next: a database that restarts is back within a few of them.
const PAUSE: Duration = Duration::from_millis(500);

/// Marks it; tried for as long as the store is given. A store that does not answer holds nothing up:
/// the sweeper finds what was missed.
pub(super) async fn stop_reads(ctx: &Context, name: &ConnectionName) {
    let marked = timeout(ctx.config.intervals.store_patience, mark(ctx, name));
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

async fn mark(ctx: &Context, name: &ConnectionName) -> Result<()> {
    loop {
        match ctx.store.mark_deleted(name, ctx.clock.now()).await {
            // It never came as far as the store, so nobody reads it.
            Err(StoreError::NotFound { .. }) => return Ok(()),
            Err(StoreError::Unavailable { .. }) => sleep(PAUSE).await,
            marked => return marked,
        }
    }
}
