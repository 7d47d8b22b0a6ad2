//! Drives one `PostHogConnection` through dereference -> validate -> build -> apply -> update_status.

use std::sync::Arc;
use std::time::Duration;

use crd::PostHogConnection;
use domain::ConnectionName;
use jiff::{SignedDuration, Timestamp};
use kube::Resource;
use kube::runtime::controller::Action;

use crate::apply::{Applied, apply};
use crate::build::{self, Report};
use crate::context::{Context, Guarded};
use crate::dereference::{Found, KeyFound, dereference};
use crate::error::Error;
use crate::identity::Identity;
use crate::jobs::{Phase, RunJob, RunKind};
use crate::measured::named;
use crate::settle::settle;
use crate::update_status::update_status;
use crate::validate::{Origin, Verdict, validate};
use crate::{disconnect, first_sight, malformed, store_down};

/// The shortest pause before a connection is looked at again by itself.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// The longest: what was missed by every watch is found then.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// One reconciliation: reads what it needs, decides, writes what differs, and says when to come back.
pub(crate) async fn reconcile(
    connection: Arc<Guarded>,
    ctx: Arc<Context>,
) -> Result<Action, Error> {
    let identity = Identity::of(connection.meta())?;
    let outcome = one(&connection, &identity, &ctx).await;
    if outcome.is_err() {
        // Whoever cannot be reconciled must not hold up those behind it.
        ctx.slots.leave(&identity.name.to_string(), |creating| {
            ctx.places_taken(creating)
        });
    } else {
        ctx.retries.forget(&identity.name);
    }
    outcome
}

async fn one(connection: &Guarded, identity: &Identity, ctx: &Context) -> Result<Action, Error> {
    // Before all else: one that cannot be read can still go.
    if connection.meta().deletion_timestamp.is_some() {
        ctx.slots.leave(&identity.name.to_string(), |creating| {
            ctx.places_taken(creating)
        });
        ctx.writes.forget(&identity.uid);
        return disconnect::disconnect(ctx, connection.meta()).await;
    }
    let connection = match &connection.0 {
        Ok(connection) => ctx.writes.latest(connection.clone()),
        Err(invalid) => return malformed::tell(ctx, invalid).await,
    };
    let connection = first_sight::introduce(ctx, identity, connection).await?;
    let outcome = Box::pin(steps(ctx, identity, &connection)).await;
    if let Err(Error::Store(error)) = &outcome {
        store_down::tell(ctx, identity, &connection, error).await?;
    }
    outcome
}

async fn steps(
    ctx: &Context,
    identity: &Identity,
    connection: &PostHogConnection,
) -> Result<Action, Error> {
    // Kubernetes, the store and PostHog are read here, and only here.
    let found = dereference(ctx, connection, identity).await?;
    let now = ctx.clock.now();
    // Pure: what is wrong, what is due.
    let mut verdict = validate(connection, identity, &found, now);
    // Pure: Jobs, Secrets, what the store is told.
    let desired = build::build(ctx, identity, connection, &found, &verdict)?;
    let applied = Box::pin(apply(ctx, desired)).await?;
    count_refusal(&mut verdict, &applied, now);
    // Pure: the status, of what was really applied.
    let Report { status, wake_at } = build::report(
        identity,
        connection,
        &found,
        &verdict,
        &applied,
        ctx.slots.places(),
        &ctx.config.intervals,
        now,
    );
    update_status(ctx, identity, connection, &status).await?;
    if let (Some(request), KeyFound::Checked(_)) = (&found.request, &found.key) {
        ctx.requests.checked(&identity.uid, request);
    }
    // Only now that status tells how they ended.
    for job in settle(ctx, &verdict.over).await? {
        count_run(ctx, &job, &found, &verdict);
    }
    let pause = wake_at.map_or(LONGEST_PAUSE, |at| pause(now, at));
    Ok(again(ctx, identity.name.clone(), pause))
}

/// A Job that the API server refuses is a failure like any other: tried again with growing pauses.
fn count_refusal(verdict: &mut Verdict, applied: &Applied, now: Timestamp) {
    if let Applied::Refused { message } = applied {
        let failure = (crd::reasons::JOB_REFUSED, message.clone());
        let setback = sync::backoff::Setback::of_reason("Throttled");
        verdict.failures.add(failure, setback, Origin::Check, now);
    }
}

/// Counts a run whose outcome was told just now.
fn count_run(ctx: &Context, job: &RunJob, found: &Found, verdict: &Verdict) {
    let last = found
        .stored
        .as_ref()
        .and_then(|stored| stored.outlook.last.as_ref());
    let (outcome, totals) = match &job.phase {
        Phase::Failed { .. } => {
            let told = verdict.failures.last.as_ref();
            let reason = told.filter(|failure| failure.job.as_ref() == Some(&job.name));
            (
                reason.map_or("JobFailed", |failure| failure.reason.as_str()),
                None,
            )
        }
        _ => ("complete", last.filter(|_| job.kind != RunKind::Remap)),
    };
    let totals = totals.map(|run| run.totals).unwrap_or_default();
    ctx.metrics.run_ended(job.kind.into(), outcome, &totals);
}

fn pause(now: Timestamp, at: Timestamp) -> Duration {
    let pause: SignedDuration = at.duration_since(now);
    Duration::try_from(pause)
        .unwrap_or_default()
        .clamp(LEAST_PAUSE, LONGEST_PAUSE)
}

/// When to try again after an error.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that kube calls"
)]
pub(crate) fn error_policy(connection: Arc<Guarded>, _: &Error, ctx: Arc<Context>) -> Action {
    let name = named(&connection);
    let pause = ctx.retries.failed(name.clone());
    again(&ctx, name, pause)
}

/// Has the connection reconciled again after so long.
fn again(ctx: &Context, connection: ConnectionName, pause: Duration) -> Action {
    ctx.metrics.due_in(connection, pause);
    Action::requeue(pause)
}
