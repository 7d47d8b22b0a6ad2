//! Writes what was built, but for the status: that is written last, of what was really applied.

use crd::PostHogConnectionStatus;

use crate::build::Desired;
use crate::context::Context;
use crate::error::Error;
use crate::identity::Identity;

/// What was applied, and the status that tells it.
pub(crate) struct Applied {
    pub(crate) identity: Identity,
    pub(crate) status: PostHogConnectionStatus,
}

/// Writes it.
pub(crate) async fn apply(ctx: &Context, desired: Desired) -> Result<Applied, Error> {
    if let Some(record) = &desired.record {
        ctx.store.put_connection(record, ctx.clock.now()).await?;
    }
    Ok(Applied {
        identity: desired.identity,
        status: desired.status,
    })
}
