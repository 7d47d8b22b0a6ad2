//! Reads what a reconciliation needs, and no more: caches for what Kubernetes tells by itself, the store
//! for what runs did, the Secret only when somebody needs the key, PostHog only when its answer can
//! have changed.

mod check;
mod details;
mod key;
mod when;

use crd::{FieldError, PostHogConnection, ValidConnection};
use domain::plan::PlanStanding;
use domain::storage::ConnectionRecord;
use jiff::Timestamp;
use sync::{CheckError, CheckReport, Outlook, Settings};

pub(crate) use self::details::Details;
pub(crate) use self::key::{KeyProblem, ReadKey};
use self::when::When;
pub(crate) use self::when::{is_accepted, is_new, retry_at};
use crate::context::Context;
use crate::error::Error;
use crate::identity::Identity;
use crate::jobs::RunJob;
use crate::namespaces::Workspace;
use crate::schedule::{self, Due, Tick, due};
use crate::settings;

/// What was found about a connection.
pub(crate) struct Found {
    /// What is asked for, or every problem of it.
    pub(crate) spec: Result<Asked, Vec<FieldError>>,
    /// The namespace.
    pub(crate) workspace: Workspace,
    /// Its Jobs.
    pub(crate) jobs: Vec<RunJob>,
    /// What the store knows; absent where the spec cannot be used.
    pub(crate) stored: Option<Stored>,
    /// The key, and what PostHog says of it.
    pub(crate) key: KeyFound,
    /// The refresh that was asked for and not handled.
    pub(crate) request: Option<String>,
    /// The refresh that was asked for and has its Job, of which status does not tell yet: the operator
    /// may have died in between.
    pub(crate) begun_request: Option<String>,
}

/// What a usable spec asks for.
pub(crate) struct Asked {
    /// The spec.
    pub(crate) valid: ValidConnection,
    /// The same, as runs take it.
    pub(crate) settings: Settings,
    /// Its mark on Jobs.
    pub(crate) fingerprint: String,
}

/// What the store knows.
pub(crate) struct Stored {
    /// The connection; absent before it was first stored.
    pub(crate) record: Option<ConnectionRecord>,
    /// What its runs have covered.
    pub(crate) outlook: Outlook,
    /// What status tells of stored events; read only when a run has ended since it was told.
    pub(crate) details: Option<Details>,
}

/// The key, and what PostHog says of it.
pub(crate) enum KeyFound {
    /// Nobody needs it.
    NotRead,
    /// There is none.
    Missing(KeyProblem),
    /// It was read; what status says of it still holds.
    Unchecked(ReadKey),
    /// It was read, and PostHog was asked.
    Checked(Box<Checked>),
}

/// A key that PostHog was asked about.
pub(crate) struct Checked {
    /// The key.
    pub(crate) key: ReadKey,
    /// What PostHog said.
    pub(crate) outcome: Result<CheckReport, CheckError>,
}

impl KeyFound {
    /// The key, if there is one.
    pub(crate) fn key(&self) -> Option<&ReadKey> {
        match self {
            Self::Unchecked(key) => Some(key),
            Self::Checked(checked) => Some(&checked.key),
            Self::NotRead | Self::Missing(_) => None,
        }
    }

    /// What PostHog said now, if it was asked.
    pub(crate) fn outcome(&self) -> Option<&Result<CheckReport, CheckError>> {
        match self {
            Self::Checked(checked) => Some(&checked.outcome),
            Self::NotRead | Self::Missing(_) | Self::Unchecked(_) => None,
        }
    }
}

/// Whether a connection may be pulled, by what Kubernetes alone tells; the first that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The namespace goes, and the connection with it.
    NamespaceTerminating,
    /// The spec contradicts a rule.
    InvalidSpec,
    /// The plan does not admit PostHog, or nobody knows the plan.
    NotEligible(PlanStanding),
    /// `spec.suspend` is set.
    Suspended,
    /// Nothing speaks against it.
    Admitted,
}

impl Found {
    /// Whether the connection may be pulled.
    pub(crate) fn standing(&self) -> Standing {
        let plan = &self.workspace.plan;
        match &self.spec {
            _ if self.workspace.is_terminating => Standing::NamespaceTerminating,
            Err(_) => Standing::InvalidSpec,
            Ok(_) if !plan.is_eligible() => Standing::NotEligible(plan.clone()),
            Ok(asked) if asked.valid.suspended => Standing::Suspended,
            Ok(_) => Standing::Admitted,
        }
    }

    /// The next run, if nothing is against one and none is under way.
    pub(crate) fn due(
        &self,
        connection: &PostHogConnection,
        identity: &Identity,
        retry_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Due> {
        let (Ok(asked), Some(stored)) = (&self.spec, &self.stored) else {
            return None;
        };
        if self.standing() != Standing::Admitted || self.jobs.iter().any(RunJob::is_active) {
            return None;
        }
        Some(due(&schedule::Facts {
            owner: identity.uuid(),
            generation: connection.metadata.generation.unwrap_or_default(),
            created_at: identity.created_at,
            settings: &asked.settings,
            fingerprint: &asked.fingerprint,
            outlook: &stored.outlook,
            request: self.request.as_deref(),
            retry_at,
            jobs: &self.jobs,
            now,
        }))
    }
}

/// Reads it all.
pub(crate) async fn dereference(
    ctx: &Context,
    connection: &PostHogConnection,
    identity: &Identity,
) -> Result<Found, Error> {
    let now = ctx.clock.now();
    let namespace = &identity.name.namespace;
    let workspace = ctx.namespaces.get(namespace).unwrap_or(Workspace {
        name: namespace.clone(),
        plan: PlanStanding::Unknown { label: None },
        is_terminating: false,
    });
    let spec = crd::validate(connection, namespace).map(|valid| Asked {
        settings: settings::settings(&valid, workspace.plan.clone()),
        fingerprint: settings::fingerprint(&connection.spec, &valid),
        valid,
    });
    let jobs = ctx.jobs.filter(|job| job.connection_uid == identity.uid);
    let (begun_request, request) = match unhandled_request(connection) {
        Some(asked) if has_job(&jobs, &asked) => (Some(asked), None),
        asked => (None, asked),
    };
    let mut found = Found {
        jobs,
        stored: match &spec {
            Ok(asked) => Some(stored(ctx, connection, identity, asked, now).await?),
            Err(_) => None,
        },
        request,
        begun_request,
        key: KeyFound::NotRead,
        spec,
        workspace,
    };
    found.key = key_and_check(ctx, connection, identity, &found, now).await?;
    Ok(found)
}

async fn stored(
    ctx: &Context,
    connection: &PostHogConnection,
    identity: &Identity,
    asked: &Asked,
    now: Timestamp,
) -> Result<Stored, Error> {
    let store = &*ctx.store;
    let record = store.connection(&identity.name).await?;
    let outlook = sync::outlook(store, &asked.settings, now).await?;
    let details = if details::are_due(connection, &outlook) {
        details::read(store, record.as_ref(), &outlook, now).await?
    } else {
        None
    };
    Ok(Stored {
        record,
        outlook,
        details,
    })
}

async fn key_and_check(
    ctx: &Context,
    connection: &PostHogConnection,
    identity: &Identity,
    found: &Found,
    now: Timestamp,
) -> Result<KeyFound, Error> {
    let Ok(asked) = &found.spec else {
        return Ok(KeyFound::NotRead);
    };
    let when = When::of(ctx, connection, identity, found, now);
    if !when.is_key_needed {
        return Ok(KeyFound::NotRead);
    }
    let read = key::read(ctx, &identity.name.namespace, &asked.valid.api_key).await?;
    let key = match read {
        Ok(key) => key,
        Err(problem) => return Ok(KeyFound::Missing(problem)),
    };
    let uid = &identity.uid;
    let is_due = when.is_check_due(&key.version)
        || ctx.first_looks.is_first(uid, connection.status.as_ref());
    if !is_due {
        return Ok(KeyFound::Unchecked(key));
    }
    match Box::pin(check::check(ctx, connection, asked, &key, now)).await {
        Some(outcome) => {
            if let Err(error) = &outcome {
                ctx.first_looks.looked(uid, error.reason());
            }
            Ok(KeyFound::Checked(Box::new(Checked { key, outcome })))
        }
        // The connection has changed meanwhile, and is about to be reconciled again.
        None => Ok(KeyFound::Unchecked(key)),
    }
}

fn unhandled_request(connection: &PostHogConnection) -> Option<String> {
    let annotations = connection.metadata.annotations.as_ref()?;
    let asked = annotations.get(crd::REFRESH_REQUESTED_ANNOTATION)?;
    let handled = connection
        .status
        .as_ref()
        .and_then(|status| status.last_handled_refresh_request.as_ref());
    (handled != Some(asked)).then(|| asked.clone())
}

/// Whether there is a Job that this request asked for.
fn has_job(jobs: &[RunJob], request: &str) -> bool {
    let tick = Tick::Request(request.to_owned()).to_string();
    jobs.iter().any(|job| job.tick == tick)
}
