//! Jobs as reconciliations see them: whose they are, what they do, and how they ended.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::annotations::labels;
use crate::watched::Watched;

/// Every Job of ours in the operator's namespace.
pub(crate) type Jobs = Watched<RunJob>;

/// What a Job does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString, strum::Display,
)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum RunKind {
    /// Reads all of the configured days.
    Backfill,
    /// Reads the lookback and what arrived late.
    Refresh,
    /// Assigns what is stored by another mapping or time zone, without pulling.
    Remap,
    /// Removes the rows of a connection that was disconnected.
    Purge,
}

/// A Job of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunJob {
    /// Its name.
    pub(crate) name: String,
    /// Its own UID.
    pub(crate) uid: String,
    /// The UID of the connection that it is for.
    pub(crate) connection_uid: String,
    /// Namespace and name of the connection, where the labels hold them whole.
    pub(crate) connection: (String, String),
    /// What it does.
    pub(crate) kind: RunKind,
    /// Which tick of the timetable it is.
    pub(crate) tick: String,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// How far it is.
    pub(crate) phase: Phase,
    /// Whether its outcome is recorded: it then has a time to live, or is the newest failed one.
    pub(crate) is_recorded: bool,
    /// Whether it is being deleted.
    pub(crate) is_deleting: bool,
}

/// How far a Job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is not over.
    Active {
        /// Whether a pod of it runs.
        is_running: bool,
    },
    /// Its pod ended well.
    Succeeded {
        /// When.
        at: Timestamp,
    },
    /// It ended otherwise.
    Failed {
        /// When.
        at: Timestamp,
        /// The Job controller's reason, such as `PodFailurePolicy`.
        reason: String,
        /// Its sentence.
        message: String,
    },
}

impl RunJob {
    /// Whether it takes one of the places for Jobs.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active { .. })
    }
}

/// Reduces a Job; nothing when it is not one of ours.
pub(crate) fn reduce(job: &Job) -> Option<(String, RunJob)> {
    let label = |name: &str| job.labels().get(name).cloned();
    let name = job.metadata.name.clone()?;
    let created_at = instant(job.metadata.creation_timestamp.as_ref()?);
    let run = RunJob {
        uid: job.metadata.uid.clone()?,
        connection_uid: label(labels::CONNECTION_UID)?,
        connection: (
            label(labels::CONNECTION_NAMESPACE)?,
            label(labels::CONNECTION_NAME)?,
        ),
        kind: label(labels::KIND)?.parse().ok()?,
        tick: label(labels::TICK)?,
        created_at,
        phase: phase(job, created_at),
        is_recorded: job.spec.as_ref()?.ttl_seconds_after_finished.is_some()
            || job.annotations().contains_key(labels::RECORDED),
        is_deleting: job.metadata.deletion_timestamp.is_some(),
        name: name.clone(),
    };
    Some((name, run))
}

fn phase(job: &Job, created_at: Timestamp) -> Phase {
    let status = job.status.as_ref();
    let condition = |kind: &str| {
        status?
            .conditions
            .as_ref()?
            .iter()
            .find(|condition| condition.type_ == kind && condition.status == "True")
    };
    let at = |time: &Option<Time>| time.as_ref().map_or(created_at, instant);
    if let Some(complete) = condition("Complete") {
        return Phase::Succeeded {
            at: at(&complete.last_transition_time),
        };
    }
    if let Some(failed) = condition("Failed") {
        return Phase::Failed {
            at: at(&failed.last_transition_time),
            reason: failed.reason.clone().unwrap_or_default(),
            message: failed.message.clone().unwrap_or_default(),
        };
    }
    Phase::Active {
        is_running: status.and_then(|status| status.ready).unwrap_or_default() > 0,
    }
}

/// Kubernetes' types are of an earlier jiff than ours; they keep whole seconds.
fn instant(time: &Time) -> Timestamp {
    Timestamp::from_second(time.0.as_second()).unwrap_or(Timestamp::MIN)
}
