//! The Job that purges: a pod like those that pull, but without a key, for PostHog is not asked.

use domain::ConnectionName;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::annotations::labels;
use crate::build::names::{purge_job_name, purge_labels};
use crate::build::pod::{PodOf, failure_policy, pod};
use crate::config::OperatorConfig;

const CONTAINER: &str = "purge";
/// So often a pod that crashed or could not use the store is started again within one Job.
const BACKOFF_LIMIT: i32 = 3;
/// Exit codes after which the same pod can only end the same: usage, and a connection that lives or is
/// not due (`docs/exit-codes.md`).
const FINAL_EXIT_CODES: [i32; 2] = [2, 10];

/// The Job that removes what is left of the connection. One connection has one name for it: as long as
/// that Job is there, creating it again is a conflict.
pub(super) fn purge_job(connection: &ConnectionName, config: &OperatorConfig) -> Job {
    let whole = connection.to_string();
    let labels = purge_labels(connection);
    let runs = PodOf {
        container: CONTAINER,
        arguments: vec!["purge".to_owned(), format!("--connection={whole}")],
        labels: &labels,
        input: None,
    };
    let template = pod(runs, &config.job);
    Job {
        metadata: ObjectMeta {
            name: Some(purge_job_name(connection)),
            namespace: Some(config.namespace.clone()),
            labels: Some(labels),
            annotations: Some([(labels::CONNECTION.to_owned(), whole)].into()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(BACKOFF_LIMIT),
            active_deadline_seconds: Some(config.job.backfill_deadline_seconds.max(1)),
            // Nobody records its outcome: the store tells what is left.
            ttl_seconds_after_finished: Some(config.job.ttl_seconds.max(0)),
            pod_failure_policy: Some(failure_policy(CONTAINER, &FINAL_EXIT_CODES)),
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The most bytes of a label's value, and of a Job's name that its pods carry as a label.
    const LONGEST: usize = 63;

    fn config(job: &Value) -> OperatorConfig {
        let mut config = json!({
            "namespace": "operator",
            "job": {"image": "example.org/i:1", "database": {"name": "database", "key": "url"}},
        });
        let described = config["job"].as_object_mut().unwrap();
        described.extend(job.as_object().unwrap().clone());
        serde_json::from_value(config).unwrap()
    }

    fn job(name: &str) -> Job {
        purge_job(&ConnectionName::new("acme", name), &config(&json!({})))
    }

    #[test]
    fn its_pod_is_what_the_installation_wants_of_all() {
        let wanted = json!({
            "imagePullPolicy": "Never",
            "imagePullSecrets": [{"name": "registry"}],
            "serviceAccountName": "sync",
            "resources": {"limits": {"memory": "1Gi"}},
            "nodeSelector": {"pool": "batch"},
            "tolerations": [{"key": "batch", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "podLabels": {"team": "data"},
            "podAnnotations": {"sidecar": "none"},
            "priorityClassName": "low",
            "podSecurityContext": {"runAsNonRoot": true, "runAsUser": 1234},
            "env": [{"name": "RUST_LOG", "value": "debug"}],
            "caBundle": {"name": "authorities", "key": "ca.crt"},
        });
        let made = purge_job(&ConnectionName::new("acme", "shop"), &config(&wanted));
        let template = serde_json::to_value(made.spec.unwrap().template).unwrap();
        let (pod, container) = (&template["spec"], &template["spec"]["containers"][0]);
        for field in [
            "imagePullSecrets",
            "serviceAccountName",
            "nodeSelector",
            "tolerations",
            "affinity",
            "priorityClassName",
        ] {
            assert_eq!(pod[field], wanted[field], "{field}");
        }
        assert_eq!(pod["securityContext"], wanted["podSecurityContext"]);
        assert_eq!(container["imagePullPolicy"], "Never");
        assert_eq!(container["resources"], wanted["resources"]);
        assert_eq!(container["env"][1], wanted["env"][0]);
        assert_eq!(template["metadata"]["labels"]["team"], "data");
        assert_eq!(
            template["metadata"]["annotations"],
            wanted["podAnnotations"]
        );
        // The database's URL may name these authorities.
        assert_eq!(pod["volumes"][0]["configMap"]["name"], "authorities");
        let mounted = &container["volumeMounts"][0]["mountPath"];
        assert_eq!(mounted, "/run/ordinary-posthog/ca");
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
