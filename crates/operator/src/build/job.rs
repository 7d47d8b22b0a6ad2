//! The Job that pulls: one pod that has the key in a file from a Secret that the Job owns.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::document::DOCUMENT_FILE;
use super::pod::{INPUT, PodOf, authorities, failure_policy, pod};
use crate::annotations::labels;
use crate::config::OperatorConfig;
use crate::identity::Identity;
use crate::jobs::RunKind;

const CONTAINER: &str = "sync";
/// How often a pod that crashed, could not reach PostHog or could not use the store is started again
/// within one Job; beyond that the operator waits by its own timetable.
const BACKOFF_LIMIT: i32 = 3;
/// Exit codes after which the same pod can only end the same (`docs/exit-codes.md`): usage,
/// configuration, key, scope, project, region, host, answer, throttling, plan.
const FINAL_EXIT_CODES: [i32; 11] = [2, 10, 11, 12, 13, 14, 15, 16, 18, 19, 21];

/// What a Job is made of beside the operator's configuration.
pub(crate) struct JobOf<'a> {
    /// Whose run it is.
    pub(crate) identity: &'a Identity,
    /// Its name.
    pub(crate) name: &'a str,
    /// What it does.
    pub(crate) kind: RunKind,
    /// Its labels.
    pub(crate) labels: &'a BTreeMap<String, String>,
}

/// The Job.
pub(crate) fn job(of: &JobOf<'_>, config: &OperatorConfig) -> Job {
    let deadline = match of.kind {
        RunKind::Backfill => config.job.backfill_deadline_seconds,
        RunKind::Refresh | RunKind::Remap | RunKind::Purge => config.job.refresh_deadline_seconds,
    };
    let annotations = [(labels::CONNECTION.to_owned(), of.identity.name.to_string())];
    let runs = PodOf {
        container: CONTAINER,
        arguments: arguments(of, config),
        labels: of.labels,
        input: Some(of.name),
    };
    Job {
        metadata: ObjectMeta {
            name: Some(of.name.to_owned()),
            namespace: Some(config.namespace.clone()),
            labels: Some(of.labels.clone()),
            annotations: Some(annotations.into()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(BACKOFF_LIMIT),
            active_deadline_seconds: Some(deadline.max(1)),
            pod_failure_policy: Some(failure_policy(CONTAINER, &FINAL_EXIT_CODES)),
            template: pod(runs, &config.job),
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// What the program is told; never a secret.
fn arguments(of: &JobOf<'_>, config: &OperatorConfig) -> Vec<String> {
    let mut arguments = vec![
        "sync".to_owned(),
        format!("--file={INPUT}/{DOCUMENT_FILE}"),
        format!("--mode={}", of.kind),
        "--registered".to_owned(),
    ];
    arguments.extend(authorities(&config.job));
    let hosts = &config.allow_insecure_hosts;
    arguments.extend(
        hosts
            .iter()
            .map(|host| format!("--allow-insecure-host={host}")),
    );
    arguments
}
