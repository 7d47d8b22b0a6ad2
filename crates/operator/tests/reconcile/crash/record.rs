//! What an operator has brought about, without what differs from one life to the next: names, versions
//! and times.

use std::fmt::Write as _;

use domain::ConnectionId;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::ListParams;
use operator::labels;
use serde_json::{Value, json};

use super::step::NAME;
use crate::harness::{Corner, KEY};

/// What has come about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// The connection's finalizers and status; null when there is none.
    connection: Value,
    /// Every Job that was not stopped.
    jobs: Vec<JobRecord>,
    /// Secrets of the operator's namespace without a Job.
    strays: usize,
    /// Whether the merchant's Secret is there.
    has_key: bool,
    /// Runs of each epoch: mode and end.
    runs: Vec<Value>,
    /// What the store has of the connection.
    stored: Value,
    /// How often each kind of event page was read would differ by restarts; how much was stored does not.
    events: u64,
}

/// A Job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobRecord {
    kind: String,
    /// The generation or the request; a tick of the timetable is only one.
    tick: String,
    pub(super) phase: &'static str,
    pub(super) has_secret: bool,
    is_recorded: bool,
    has_ttl: bool,
}

impl JobRecord {
    /// Whether its pod runs without a Secret.
    pub(super) fn needs_none(&self) -> bool {
        self.kind == "purge"
    }

    /// Whether nobody has anything left to do about it: a run that is over is told of.
    fn is_settled(&self) -> bool {
        match self.phase {
            "Active" => true,
            "Deleted" => false,
            _ => self.needs_none() || self.is_recorded || self.has_ttl,
        }
    }
}

impl Record {
    /// Reads it.
    pub(super) async fn read(corner: &Corner) -> Self {
        let record = corner.store.connection(&corner.name(NAME)).await.unwrap();
        let mut runs = Vec::new();
        let mut events = 0;
        for project in [crate::harness::PROJECT, super::step::OTHER] {
            for run in corner
                .store
                .runs(epoch(corner, project), None, 100)
                .await
                .unwrap()
            {
                events += run.totals.events_stored;
                let ended = run.end.map(|end| format!("{end:?}"));
                runs.push(json!([project, run.mode.to_string(), ended]));
            }
        }
        runs.sort_by_key(ToString::to_string);
        let jobs = jobs(corner).await;
        let secrets = corner.secrets(&corner.own);
        let all = secrets.list_metadata(&ListParams::default()).await.unwrap();
        let owned = jobs.iter().filter(|job| job.has_secret).count();
        let merchants = corner.secrets(&corner.tenant);
        Self {
            connection: connection(corner).await,
            // Read a moment later, when a Job may be gone with its own.
            strays: all.items.len().saturating_sub(owned),
            has_key: merchants.get_opt("posthog").await.unwrap().is_some(),
            jobs,
            runs,
            stored: json!({
                "plan": record.as_ref().map(|r| format!("{:?}", r.desired.plan)),
                "suspended": record.as_ref().map(|r| r.desired.suspended),
                "moved": record.as_ref().map(|r| r.serving == r.target),
                "project": record.as_ref().map(|r| r.desired.epoch.project_id.to_string()),
                "deleted": record.as_ref().map(|r| r.deleted_at.is_some()),
                "failure": record.and_then(|r| Some(r.failure?.reason)),
            }),
            events,
        }
    }

    /// Whether it can stay so: what is deleted is gone, with all that belonged to it, and what is over is
    /// told of. Others than the operator do their part of that, in their own time.
    pub(super) fn is_settled(&self) -> bool {
        self.strays == 0 && self.jobs.iter().all(JobRecord::is_settled)
    }

    /// How it differs from what was expected.
    pub(super) fn unlike(&self, expected: &Self) -> String {
        let (ours, theirs) = (format!("{self:#?}"), format!("{expected:#?}"));
        let mut text = String::new();
        for (sign, lines, others) in [("-", &theirs, &ours), ("+", &ours, &theirs)] {
            for line in lines.lines() {
                if !others.lines().any(|other| other == line) {
                    let _ = writeln!(text, "{sign}{line}");
                }
            }
        }
        text
    }
}

fn epoch(corner: &Corner, project: u64) -> ConnectionId {
    let spec = corner.spec(json!({"projectId": project}));
    let object = json!({
        "apiVersion": crd::API_VERSION, "kind": crd::KIND,
        "metadata": {"name": NAME, "namespace": corner.tenant}, "spec": spec,
    });
    let connection = serde_json::from_value(object).unwrap();
    let valid = crd::validate(&connection, &corner.tenant).unwrap();
    ConnectionId::of(&corner.name(NAME), &valid.epoch)
}

/// Every Job there is, and whether its Secret is.
pub(super) async fn jobs(corner: &Corner) -> Vec<JobRecord> {
    let secrets = corner.secrets(&corner.own);
    let all = secrets.list_metadata(&ListParams::default()).await.unwrap();
    let has_secret = |job: &Job| {
        all.items.iter().any(|secret| {
            secret.metadata.name == job.metadata.name
                && secret
                    .owner_references()
                    .iter()
                    .any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref())
        })
    };
    let mut jobs: Vec<JobRecord> = corner
        .all_jobs()
        .await
        .iter()
        .map(|job| JobRecord {
            kind: job.labels()[labels::KIND].clone(),
            tick: tick(&job.labels()[labels::TICK]),
            phase: phase(job),
            has_secret: has_secret(job),
            is_recorded: job.annotations().contains_key(labels::RECORDED),
            has_ttl: job
                .spec
                .as_ref()
                .unwrap()
                .ttl_seconds_after_finished
                .is_some(),
        })
        .collect();
    jobs.sort();
    jobs
}

fn tick(label: &str) -> String {
    match label.chars().next() {
        // A number of seconds begins with a `t` in these years.
        Some('g' | 'r') => label.to_owned(),
        _ => "time".to_owned(),
    }
}

fn phase(job: &Job) -> &'static str {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let holds = |kind: &str| {
        conditions
            .into_iter()
            .flatten()
            .any(|c| c.type_ == kind && c.status == "True")
    };
    match (holds("Complete"), holds("Failed")) {
        _ if job.metadata.deletion_timestamp.is_some() => "Deleted",
        (true, _) => "Complete",
        (_, true) => "Failed",
        _ => "Active",
    }
}

async fn connection(corner: &Corner) -> Value {
    let Some(found) = corner.connections().get_opt(NAME).await.unwrap() else {
        return Value::Null;
    };
    let uid = found.uid().unwrap();
    let names = [
        (uid[..8].to_owned(), "UID"),
        (corner.tenant.clone(), "TENANT"),
        (corner.own.clone(), "OWN"),
        (corner.stub.url().to_owned(), "POSTHOG"),
        (KEY.to_owned(), "KEY"),
    ];
    let mut seen = json!({
        "generation": found.metadata.generation,
        "finalizers": found.finalizers(),
        "status": found.status,
    });
    plain(&mut seen, &names);
    seen
}

/// Takes out what is of one life only.
fn plain(value: &mut Value, names: &[(String, &'static str)]) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "secretResourceVersion" {
                    *value = json!("VERSION");
                }
                plain(value, names);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| plain(value, names)),
        Value::String(text) => {
            if text.parse::<jiff::Timestamp>().is_ok() {
                *text = "TIME".to_owned();
            }
            for (name, stands_for) in names {
                *text = text.replace(name, stands_for);
            }
        }
        _ => {}
    }
}
