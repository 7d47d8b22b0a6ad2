//! What status says while the store does not answer: nothing is known of runs then, so nothing else in it
//! is touched.

use crd::{Condition, ConditionStatus, PostHogConnection, PostHogConnectionStatus, reasons};
use domain::storage::StoreError;
use jiff::Timestamp;

use crate::context::Context;
use crate::error::Error;
use crate::identity::Identity;
use crate::update_status::update_status;

/// Tells it once of each generation.
pub(crate) async fn tell(
    ctx: &Context,
    identity: &Identity,
    connection: &PostHogConnection,
    error: &StoreError,
) -> Result<(), Error> {
    let status = connection.status.clone().unwrap_or_default();
    let generation = connection.metadata.generation;
    if is_told(&status, generation) {
        return Ok(());
    }
    let status = with(status, generation, error, ctx.clock.now());
    update_status(ctx, identity, connection, &status).await
}

fn is_told(status: &PostHogConnectionStatus, generation: Option<i64>) -> bool {
    status.conditions.iter().any(|condition| {
        condition.kind == crd::READY
            && condition.reason == reasons::STORE_UNAVAILABLE
            && condition.observed_generation == generation
    })
}

/// The generation stays unobserved: nothing of it was checked.
fn with(
    mut status: PostHogConnectionStatus,
    generation: Option<i64>,
    error: &StoreError,
    now: Timestamp,
) -> PostHogConnectionStatus {
    for (kind, holds) in [
        (crd::RECONCILING, ConditionStatus::True),
        (crd::READY, ConditionStatus::False),
    ] {
        crd::set_condition(
            &mut status.conditions,
            Condition {
                kind: kind.to_owned(),
                status: holds,
                observed_generation: generation,
                last_transition_time: Timestamp::from_second(now.as_second()).unwrap_or(now),
                reason: reasons::STORE_UNAVAILABLE.to_owned(),
                message: format!("Nothing can be read or decided until the store answers: {error}"),
            },
        );
    }
    status
}
