//! A connection seen for the first time gets the finalizer, and a status that says that nothing is known
//! of it yet.

use crd::{Condition, ConditionStatus, PostHogConnection, reasons};
use jiff::Timestamp;

use crate::context::Context;
use crate::error::Error;
use crate::identity::{Identity, add_finalizer};
use crate::update_status::update_status;

/// The connection with our finalizer and a status; it is left alone when it has both.
pub(crate) async fn introduce(
    ctx: &Context,
    identity: &Identity,
    connection: PostHogConnection,
) -> Result<PostHogConnection, Error> {
    let mut connection = add_finalizer(ctx, connection).await?;
    if connection.status.is_some() {
        return Ok(connection);
    }
    let now = ctx.clock.now();
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let mut status = crd::PostHogConnectionStatus::default();
    for (kind, status_of) in [
        (crd::RECONCILING, ConditionStatus::True),
        (crd::READY, ConditionStatus::Unknown),
    ] {
        crd::set_condition(
            &mut status.conditions,
            Condition {
                kind: kind.to_owned(),
                status: status_of,
                observed_generation: connection.metadata.generation,
                last_transition_time: now,
                reason: reasons::CHECKING.to_owned(),
                message: "The connection is being checked.".to_owned(),
            },
        );
    }
    update_status(ctx, identity, &connection, &status).await?;
    connection.status = Some(status);
    Ok(connection)
}
