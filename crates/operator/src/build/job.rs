//! The Job that pulls: one pod under restricted Pod Security, without a Kubernetes token, the key in a
//! file from a Secret that the Job owns.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EnvVar, EnvVarSource, KeyToPath,
    PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, SecretVolumeSource,
    SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::document::DOCUMENT_FILE;
use crate::annotations::labels;
use crate::config::OperatorConfig;
use crate::identity::Identity;
use crate::jobs::RunKind;

/// Where the Job's Secret is mounted.
const INPUT: &str = "/run/ordinary-posthog/input";
/// Where the further certificate authorities are mounted.
const AUTHORITIES: &str = "/run/ordinary-posthog/ca";
/// The group that may read the Secret's files.
const FILE_GROUP: i64 = 65532;
/// How often a pod that crashed, could not reach PostHog or could not use the store is started again
/// within one Job; beyond that the operator waits by its own timetable.
const BACKOFF_LIMIT: i32 = 3;
/// Exit codes after which the same pod can only end the same (`docs/exit-codes.md`): usage,
/// configuration, key, scope, project, region, host, answer, throttling, plan.
const FINAL_EXIT_CODES: [i32; 11] = [2, 10, 11, 12, 13, 14, 15, 16, 18, 19, 21];
/// Told to stop, such as for a drained node: the run goes on in the next pod.
const INTERRUPTED: i32 = 130;
/// Seconds for the page in flight to end.
const GRACE: i64 = 60;

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
    let mut pod_labels = config.job.pod_labels.clone();
    pod_labels.extend(of.labels.clone());
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
            pod_failure_policy: Some(failure_policy()),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels),
                    annotations: Some(config.job.pod_annotations.clone()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(of, config)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn failure_policy() -> PodFailurePolicy {
    let on_exit = |action: &str, codes: &[i32]| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(CONTAINER.to_owned()),
            operator: "In".to_owned(),
            values: codes.to_vec(),
        }),
        on_pod_conditions: None,
    };
    PodFailurePolicy {
        rules: vec![
            PodFailurePolicyRule {
                action: "Ignore".to_owned(),
                on_exit_codes: None,
                on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
                    type_: "DisruptionTarget".to_owned(),
                    status: Some("True".to_owned()),
                }]),
            },
            on_exit("FailJob", &FINAL_EXIT_CODES),
            on_exit("Ignore", &[INTERRUPTED]),
        ],
    }
}

const CONTAINER: &str = "sync";

fn pod(of: &JobOf<'_>, config: &OperatorConfig) -> PodSpec {
    let job = &config.job;
    let mut volumes = vec![Volume {
        name: "input".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(of.name.to_owned()),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }];
    volumes.extend(job.ca_bundle.as_ref().map(|bundle| Volume {
        name: "ca".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: bundle.name.clone(),
            items: Some(vec![KeyToPath {
                key: bundle.key.clone(),
                path: "ca.pem".to_owned(),
                ..KeyToPath::default()
            }]),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }));
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        termination_grace_period_seconds: Some(GRACE),
        service_account_name: job.service_account_name.clone(),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: some(job.image_pull_secrets.clone()),
        node_selector: (!job.node_selector.is_empty()).then(|| job.node_selector.clone()),
        tolerations: some(job.tolerations.clone()),
        affinity: job.affinity.clone(),
        priority_class_name: job.priority_class_name.clone(),
        security_context: Some(job.pod_security_context.clone().unwrap_or_else(restricted)),
        containers: vec![container(of, config)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn restricted() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        fs_group: Some(FILE_GROUP),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

fn container(of: &JobOf<'_>, config: &OperatorConfig) -> Container {
    let job = &config.job;
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let mut mounts = vec![mount("input", INPUT)];
    mounts.extend(job.ca_bundle.as_ref().map(|_| mount("ca", AUTHORITIES)));
    Container {
        name: CONTAINER.to_owned(),
        image: Some(job.image.clone()),
        image_pull_policy: job.image_pull_policy.clone(),
        args: Some(arguments(of, config)),
        env: Some(vec![
            EnvVar {
                name: "ORDINARY_POSTHOG_DATABASE_URL".to_owned(),
                value: None,
                value_from: Some(EnvVarSource {
                    secret_key_ref: Some(job.database.clone()),
                    ..EnvVarSource::default()
                }),
            },
            EnvVar {
                name: "ORDINARY_POSTHOG_LOG_FORMAT".to_owned(),
                value: Some("json".to_owned()),
                value_from: None,
            },
        ]),
        resources: Some(job.resources.clone()),
        volume_mounts: Some(mounts),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: None,
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
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
    if config.job.ca_bundle.is_some() {
        arguments.push(format!("--ca-bundle={AUTHORITIES}/ca.pem"));
    }
    let hosts = &config.allow_insecure_hosts;
    arguments.extend(
        hosts
            .iter()
            .map(|host| format!("--allow-insecure-host={host}")),
    );
    arguments
}
