//! From a verdict to what is to be written: pure, so that the same verdict always gives the same objects.

mod conditions;
mod document;
mod events;
mod job;
pub(crate) mod names;
pub(crate) mod pod;
mod secret;
mod status;

use std::collections::BTreeMap;

use crd::PostHogConnection;
use domain::ApiKey;
use domain::check::CheckSummary;
use domain::storage::{ConnectionFailure, DesiredConnection};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;

pub(crate) use self::events::events;
pub(crate) use self::secret::secret;
pub(crate) use self::status::{Report, report};
use crate::config::OperatorConfig;
use crate::context::Context;
use crate::dereference::{Found, Standing};
use crate::error::Error;
use crate::identity::Identity;
use crate::validate::Verdict;

/// What is to be written, but for the status.
pub(crate) struct Desired {
    /// Whose it is.
    pub(crate) identity: Identity,
    /// What the store is told is wanted, where it does not have that already.
    pub(crate) record: Option<DesiredConnection>,
    /// What the store is told of a check.
    pub(crate) checked: Option<Result<CheckSummary, ConnectionFailure>>,
    /// Active Jobs that must not go on.
    pub(crate) stop: Vec<String>,
    /// The Job to create, when there is a place for it.
    pub(crate) run: Option<PreparedRun>,
    /// The Secret of an active Job that may lack it.
    pub(crate) missing: Option<PreparedSecret>,
}

/// A Job to create.
pub(crate) struct PreparedRun {
    /// The time that orders it among others.
    pub(crate) due_at: Timestamp,
    /// The Job.
    pub(crate) job: Job,
    /// Its Secret.
    pub(crate) secret: PreparedSecret,
}

/// A Job's Secret, for want of the Job's UID.
pub(crate) struct PreparedSecret {
    /// The Job's name, which is also its own.
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// The documents.
    pub(crate) document: String,
    /// The key.
    pub(crate) key: ApiKey,
}

/// Builds it.
///
/// # Errors
/// When a document cannot be written.
pub(crate) fn build(
    ctx: &Context,
    identity: &Identity,
    connection: &PostHogConnection,
    found: &Found,
    verdict: &Verdict,
) -> Result<Desired, Error> {
    Ok(Desired {
        identity: identity.clone(),
        record: record(found, verdict),
        checked: checked(found, ctx.clock.now()),
        stop: verdict.stop.clone(),
        run: run(&ctx.config, identity, connection, found, verdict)?,
        missing: missing(ctx, identity, connection, found, verdict)?,
    })
}

/// What the store is to have, if it has something else.
fn record(found: &Found, verdict: &Verdict) -> Option<DesiredConnection> {
    let wanted = &found.spec.as_ref().ok()?.settings.desired;
    if verdict.standing == Standing::NamespaceTerminating {
        return None;
    }
    let record = found.stored.as_ref()?.record.as_ref();
    let is_there =
        record.is_some_and(|record| record.deleted_at.is_none() && record.desired == *wanted);
    (!is_there).then(|| wanted.clone())
}

fn checked(found: &Found, now: Timestamp) -> Option<Result<CheckSummary, ConnectionFailure>> {
    let outcome = found.key.outcome()?;
    Some(match outcome {
        Ok(report) => Ok(report.summary.clone()),
        Err(error) => Err(ConnectionFailure {
            reason: error.reason().to_owned(),
            message: error.to_string(),
            at: now,
        }),
    })
}

fn run(
    config: &OperatorConfig,
    identity: &Identity,
    connection: &PostHogConnection,
    found: &Found,
    verdict: &Verdict,
) -> Result<Option<PreparedRun>, Error> {
    let (Some(due), Some(key), Ok(asked)) = (&verdict.due, &verdict.start_with, &found.spec) else {
        return Ok(None);
    };
    let name = names::job_name(identity, due.kind, &due.tick);
    let labels = names::labels(identity, due.kind, &due.tick, &asked.fingerprint);
    let of = job::JobOf {
        identity,
        name: &name,
        kind: due.kind,
        labels: &labels,
    };
    Ok(Some(PreparedRun {
        due_at: due.at,
        job: job::job(&of, config),
        secret: PreparedSecret {
            document: document::document(identity, connection, &found.workspace.plan)?,
            key: key.clone(),
            name,
            labels,
        },
    }))
}

/// The operator may have died between a Job and its Secret: the pod waits for it.
fn missing(
    ctx: &Context,
    identity: &Identity,
    connection: &PostHogConnection,
    found: &Found,
    verdict: &Verdict,
) -> Result<Option<PreparedSecret>, Error> {
    let Some(key) = found.key.key() else {
        return Ok(None);
    };
    let Some(job) = verdict
        .active
        .as_ref()
        .filter(|job| job.waits_for_secret() && !ctx.provisioned.contains(&job.name))
    else {
        return Ok(None);
    };
    Ok(Some(PreparedSecret {
        name: job.name.clone(),
        labels: names::labels_of(identity, job),
        document: document::document(identity, connection, &found.workspace.plan)?,
        key: key.key.clone(),
    }))
}
