//! Jobs as reconciliations see them: whose they are, what they do, and how they ended.

use domain::ConnectionName;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::annotations::labels;
use crate::instant::instant;
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
    /// Its namespace: the operator's own.
    pub(crate) namespace: String,
    /// Its own UID.
    pub(crate) uid: String,
    /// The UID of the connection that it is for.
    pub(crate) connection_uid: String,
    /// The connection.
    pub(crate) connection: ConnectionName,
    /// What it does.
    pub(crate) kind: RunKind,
    /// Which tick of the timetable it is.
    pub(crate) tick: String,
    /// The mark of the settings that it works by.
    pub(crate) fingerprint: String,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// How far it is.
    pub(crate) phase: Phase,
    /// Whether its outcome is recorded: it then has a time to live, or is the newest failed one.
    pub(crate) is_recorded: bool,
    /// Whether it has a time to live.
    pub(crate) has_ttl: bool,
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
    /// Whether it is not over.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active { .. })
    }

    /// Whether it takes one of the places for Jobs that pull.
    pub(crate) fn takes_place(&self) -> bool {
        self.is_active() && self.kind != RunKind::Purge && !self.is_deleting
    }

    /// Whether its pod does not run yet, perhaps for want of its Secret.
    pub(crate) fn waits_for_secret(&self) -> bool {
        self.phase == Phase::Active { is_running: false } && self.kind != RunKind::Purge
    }
}

/// Reduces a Job; nothing when it is not one of ours.
pub(crate) fn reduce(job: &Job) -> Option<(String, RunJob)> {
    let label = |name: &str| job.labels().get(name).cloned();
    let name = job.metadata.name.clone()?;
    let (namespace, connection) = job.annotations().get(labels::CONNECTION)?.split_once('/')?;
    let has_ttl = job.spec.as_ref()?.ttl_seconds_after_finished.is_some();
    let created_at = instant(job.metadata.creation_timestamp.as_ref()?);
    let run = RunJob {
        namespace: job.metadata.namespace.clone()?,
        uid: job.metadata.uid.clone()?,
        connection_uid: label(labels::CONNECTION_UID)?,
        connection: ConnectionName::new(namespace, connection),
        kind: label(labels::KIND)?.parse().ok()?,
        tick: label(labels::TICK)?,
        fingerprint: label(labels::FINGERPRINT).unwrap_or_default(),
        created_at,
        phase: phase(job, created_at),
        is_recorded: has_ttl || job.annotations().contains_key(labels::RECORDED),
        has_ttl,
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
