//! From a spec as written to domain types, once; or every problem at once, each with its field and
//! the fix. The operator and the file reader ask here, so both refuse the same in the same words.

mod autocapture;
mod duration;
mod identity;
mod mapping;
mod names;
#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::clickmap::ClickmapPolicy;
use domain::identity::IdProperty;
use domain::mapping::MappingSpec;
use domain::plan::PlanStanding;
use domain::storage::{Deletion, DesiredConnection};
use domain::{ApiHost, ConnectionName, Epoch, ProjectId};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

pub use self::names::{is_dns_label, is_dns_subdomain, is_secret_key};
use crate::quoted::{looks_like_key, quoted};
use crate::spec::{ApiKeySecretRef, CohortSelection, DeletionPolicy, PostHogConnection};

/// A field that cannot stay as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct FieldError {
    /// The field, as `spec.refresh.lookback` or `spec.mapping.addedToCart.events[2].name`.
    pub path: String,
    /// What is wrong with the value, and the fix. Never repeats an API key.
    pub message: String,
}

/// A connection's spec after validation.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidConnection {
    /// Its namespace and name.
    pub name: ConnectionName,
    /// API host, after mapping ingestion hosts to it, and project.
    pub epoch: Epoch,
    /// The key of a Secret in the connection's namespace that holds the API key.
    pub api_key: ApiKeySecretRef,
    /// Whether reading is paused.
    pub suspended: bool,
    /// What is written about stages.
    pub mapping: MappingSpec,
    /// How the first days are read.
    pub backfill: ValidBackfill,
    /// How new events are read.
    pub refresh: ValidRefresh,
    /// Whether clickmaps are made, and how.
    pub clickmaps: ClickmapPolicy,
    /// Which cohorts are kept.
    pub cohorts: domain::cohorts::CohortSelection,
    /// The properties that carry identities, customers' first, in the order written.
    pub id_properties: Vec<IdProperty>,
    /// The zone whose days are counted; the project's when absent.
    pub time_zone: Option<TimeZone>,
    /// Days after which events are removed.
    pub retention_days: u32,
    /// What becomes of rows after a disconnect.
    pub deletion: ValidDeletion,
    /// What is accepted but probably not meant, for a warning.
    pub notes: Vec<FieldError>,
}

/// How the first days are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidBackfill {
    /// How many days back, 1 to 365; never more than are retained.
    pub days: u32,
    /// By which way.
    pub via: domain::backfill_way::BackfillVia,
}

/// How new events are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidRefresh {
    /// The time between two reads, 5 minutes to 24 hours.
    pub interval: Duration,
    /// How far each read looks back: not shorter than the interval, at most 24 hours.
    pub lookback: Duration,
}

/// What becomes of rows after a disconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidDeletion {
    /// Whether they are removed.
    pub policy: DeletionPolicy,
    /// After how long, at most a year.
    pub grace: Duration,
}

impl ValidConnection {
    /// What storage is told, for a workspace of this standing.
    pub fn into_desired(self, plan: PlanStanding) -> DesiredConnection {
        DesiredConnection {
            name: self.name,
            epoch: self.epoch,
            plan,
            suspended: self.suspended,
            backfill_days: self.backfill.days,
            retention_days: self.retention_days,
            id_properties: self.id_properties,
            deletion: self.deletion.into(),
            clickmaps: self.clickmaps,
        }
    }
}

impl From<ValidDeletion> for Deletion {
    fn from(valid: ValidDeletion) -> Self {
        match valid.policy {
            DeletionPolicy::Retain => Self::Retain,
            DeletionPolicy::Delete => Self::Delete {
                // Validation bounds it to a year, far from what cannot be converted.
                grace: SignedDuration::try_from(valid.grace).unwrap_or(SignedDuration::MAX),
            },
        }
    }
}

/// Reads a connection that lives in `namespace`.
///
/// # Errors
/// Every [`FieldError`] of the connection, in the order of the fields.
pub fn validate(
    connection: &PostHogConnection,
    namespace: &str,
) -> Result<ValidConnection, Vec<FieldError>> {
    let spec = &connection.spec;
    let mut problems = Problems::default();

    let name = connection.metadata.name.as_deref().unwrap_or_default();
    names::check_name(&mut problems, name);
    names::check_namespace(&mut problems, namespace);
    let host = host(&mut problems, &spec.host);
    let project_id = problems.take("spec.projectId", ProjectId::try_from(spec.project_id));
    names::check_secret_ref(&mut problems, &spec.api_key_secret_ref);
    let mapping = mapping::mapping(&mut problems, spec.mapping.as_ref());
    let days = number(&mut problems, "spec.backfill.days", spec.backfill.days, 365);
    let refresh = duration::refresh(&mut problems, &spec.refresh);
    let clickmaps = autocapture::clickmaps(&mut problems, &spec.autocapture);
    let id_properties = identity::id_properties(&mut problems, &spec.identity);
    let time_zone = time_zone(&mut problems, spec.time_zone.as_deref());
    let retention = number(
        &mut problems,
        "spec.retentionDays",
        spec.retention_days,
        3650,
    );
    let grace = duration::grace(&mut problems, &spec.deletion_grace_period);

    let (
        Some(host),
        Some(project_id),
        Some(mapping),
        Some(days),
        Some(refresh),
        Some(clickmaps),
        Some(time_zone),
        Some(retention_days),
        Some(grace),
        true,
    ) = (
        host,
        project_id,
        mapping,
        days,
        refresh,
        clickmaps,
        time_zone,
        retention,
        grace,
        problems.0.is_empty(),
    )
    else {
        return Err(problems.0);
    };
    Ok(ValidConnection {
        name: ConnectionName::new(namespace, name),
        epoch: Epoch { host, project_id },
        api_key: spec.api_key_secret_ref.clone(),
        suspended: spec.suspend,
        mapping,
        backfill: ValidBackfill {
            days: days.min(retention_days),
            via: spec.backfill.via.into(),
        },
        refresh,
        clickmaps,
        cohorts: match spec.cohorts.include {
            CohortSelection::All => domain::cohorts::CohortSelection::All,
            CohortSelection::None => domain::cohorts::CohortSelection::None,
        },
        id_properties,
        time_zone,
        retention_days,
        deletion: ValidDeletion {
            policy: spec.deletion_policy,
            grace,
        },
        notes: Vec::from_iter(retention_note(days, retention_days)),
    })
}

/// Problems in the order found.
#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl std::fmt::Display) {
        let mut message = message.to_string();
        if looks_like_key(&message) {
            // A domain's message repeats the value; whatever the field, a key must not get out.
            message = "holds what looks like an API key: write the key into a Secret and name that under apiKeySecretRef".to_owned();
        }
        self.0.push(FieldError {
            path: path.into(),
            message,
        });
    }

    fn take<T, E: std::fmt::Display>(&mut self, path: &str, found: Result<T, E>) -> Option<T> {
        found.map_err(|error| self.add(path, error)).ok()
    }
}

fn host(problems: &mut Problems, given: &str) -> Option<ApiHost> {
    if looks_like_key(given) {
        // The domain's messages repeat the host; a key must not get that far.
        problems.add(
            "spec.host",
            "host holds what looks like an API key: write PostHog's address there, such as https://eu.posthog.com, and the key into a Secret",
        );
        return None;
    }
    problems.take("spec.host", ApiHost::parse(given))
}

fn number(problems: &mut Problems, path: &str, given: i64, most: u32) -> Option<u32> {
    let valid = u32::try_from(given)
        .ok()
        .filter(|number| (1..=most).contains(number));
    if valid.is_none() {
        problems.add(
            path,
            format_args!("{given} is out of bounds: write 1 to {most}"),
        );
    }
    valid
}

/// The outer `None` is a problem, the inner one "the project's".
fn time_zone(problems: &mut Problems, given: Option<&str>) -> Option<Option<TimeZone>> {
    let Some(given) = given else {
        return Some(None);
    };
    if looks_like_key(given) || given.chars().count() > 64 {
        let shown = quoted(given);
        problems.add(
            "spec.timeZone",
            format_args!(
                "timeZone {shown} is not an IANA time zone: write one such as Europe/Berlin"
            ),
        );
        return None;
    }
    problems
        .take("spec.timeZone", domain::day::time_zone(given))
        .map(Some)
}

fn retention_note(days: u32, retention_days: u32) -> Option<FieldError> {
    (days > retention_days).then(|| FieldError {
        path: "spec.retentionDays".to_owned(),
        message: format!(
            "events are kept for {retention_days} days, so the backfill reads {retention_days} days and not {days}: set retentionDays to {days} or more to have all of them"
        ),
    })
}
