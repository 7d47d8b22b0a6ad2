//! The Job that purges: one pod under restricted Pod Security, without a Kubernetes token and without a
//! key, for PostHog is not asked.

use std::collections::BTreeMap;

use domain::ConnectionName;
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, EnvVarSource, PodSecurityContext, PodSpec, PodTemplateSpec,
    SeccompProfile, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use uuid::Uuid;

use crate::annotations::{FIELD_MANAGER, labels};
use crate::config::{JobConfig, OperatorConfig};
use crate::jobs::RunKind;

const CONTAINER: &str = "purge";
/// The annotation with the connection's namespace and name, whole.
const CONNECTION: &str = "posthog.ordinary.dev/connection";
/// The most bytes of a label's value, and of a Job's name that its pods carry as a label.
const LONGEST: usize = 63;
/// So often a pod that crashed or could not use the store is started again within one Job.
const BACKOFF_LIMIT: i32 = 3;
/// Exit codes after which the same pod can only end the same: usage, and a connection that lives or is
/// not due (`docs/exit-codes.md`).
const FINAL_EXIT_CODES: [i32; 2] = [2, 10];

/// The Job that removes what is left of the connection. One connection has one name for it: as long as
/// that Job is there, creating it again is a conflict.
pub(super) fn purge_job(connection: &ConnectionName, config: &OperatorConfig) -> Job {
    let whole = connection.to_string();
    // Its UID went with it; this one stands for the name.
    let uid = Uuid::new_v5(&Uuid::NAMESPACE_OID, whole.as_bytes()).to_string();
    let labels = labels_of(connection, &uid);
    let mut pod_labels = config.job.pod_labels.clone();
    pod_labels.extend(labels.clone());
    Job {
        metadata: ObjectMeta {
            name: Some(ending(&connection.name, &format!("-{}-purge", &uid[..8]))),
            namespace: Some(config.namespace.clone()),
            labels: Some(labels),
            annotations: Some([(CONNECTION.to_owned(), whole.clone())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(BACKOFF_LIMIT),
            active_deadline_seconds: Some(config.job.backfill_deadline_seconds.max(1)),
            // Nobody records its outcome: the store tells what is left.
            ttl_seconds_after_finished: Some(config.job.ttl_seconds.max(0)),
            pod_failure_policy: Some(PodFailurePolicy {
                rules: vec![PodFailurePolicyRule {
                    action: "FailJob".to_owned(),
                    on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
                        container_name: Some(CONTAINER.to_owned()),
                        operator: "In".to_owned(),
                        values: FINAL_EXIT_CODES.to_vec(),
                    }),
                    on_pod_conditions: None,
                }],
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels),
                    annotations: Some(config.job.pod_annotations.clone()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(&whole, &config.job)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn labels_of(connection: &ConnectionName, uid: &str) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", FIELD_MANAGER.to_owned()),
        ("app.kubernetes.io/component", "sync".to_owned()),
        (labels::MANAGED_BY, FIELD_MANAGER.to_owned()),
        (labels::CONNECTION_NAMESPACE, connection.namespace.clone()),
        (labels::CONNECTION_NAME, ending(&connection.name, "")),
        (labels::CONNECTION_UID, uid.to_owned()),
        (labels::KIND, RunKind::Purge.to_string()),
        (labels::TICK, "0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// `name`, cut so that it fits before `end`. A dot is allowed in a connection's name, but not in a pod's
/// host name.
fn ending(name: &str, end: &str) -> String {
    let room = LONGEST.saturating_sub(end.len());
    let start: String = name.replace('.', "-").chars().take(room).collect();
    format!("{}{end}", start.trim_end_matches('-'))
}

fn pod(connection: &str, job: &JobConfig) -> PodSpec {
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        service_account_name: job.service_account_name.clone(),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: some(&job.image_pull_secrets),
        node_selector: (!job.node_selector.is_empty()).then(|| job.node_selector.clone()),
        tolerations: some(&job.tolerations),
        affinity: job.affinity.clone(),
        priority_class_name: job.priority_class_name.clone(),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(connection, job)],
        ..PodSpec::default()
    }
}

fn some<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn container(connection: &str, job: &JobConfig) -> Container {
    let variable = |name: &str, value: Option<String>, value_from: Option<EnvVarSource>| EnvVar {
        name: name.to_owned(),
        value,
        value_from,
    };
    let database = EnvVarSource {
        secret_key_ref: Some(job.database.clone()),
        ..EnvVarSource::default()
    };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(job.image.clone()),
        image_pull_policy: job.image_pull_policy.clone(),
        args: Some(vec![
            "purge".to_owned(),
            format!("--connection={connection}"),
        ]),
        env: Some(vec![
            variable("ORDINARY_POSTHOG_DATABASE_URL", None, Some(database)),
            variable("ORDINARY_POSTHOG_LOG_FORMAT", Some("json".to_owned()), None),
        ]),
        resources: Some(job.resources.clone()),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn job(name: &str) -> Job {
        let config = serde_json::from_value(json!({
            "namespace": "operator",
            "job": {"image": "example.org/i:1", "database": {"name": "database", "key": "url"}},
        }));
        purge_job(&ConnectionName::new("acme", name), &config.unwrap())
    }

    #[test]
    fn the_same_connection_has_the_same_job_and_another_another() {
        assert_eq!(job("storefront"), job("storefront"));
        assert_ne!(
            job("storefront").metadata.name,
            job("storefronts").metadata.name
        );
        let name = job("storefront").metadata.name.unwrap();
        assert!(
            name.starts_with("storefront-") && name.ends_with("-purge"),
            "{name}"
        );
    }

    #[test]
    fn two_long_names_that_begin_alike_have_two_jobs() {
        let long = "a".repeat(200);
        let other = format!("{long}b");
        assert_ne!(job(&long).metadata.name, job(&other).metadata.name);
    }

    proptest! {
        #[test]
        fn every_name_and_label_is_one_that_kubernetes_takes(
            name in "[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?",
        ) {
            let job = job(&name);
            prop_assert!(crd::is_dns_label(job.metadata.name.as_deref().unwrap()));
            for (label, value) in job.metadata.labels.unwrap() {
                prop_assert!(value.len() <= LONGEST, "{} {}", label, value);
                prop_assert!(value.ends_with(|c: char| c.is_ascii_alphanumeric()), "{}", value);
            }
        }
    }
}
