//! The pods of Jobs: one container of this program under restricted Pod Security, without a Kubernetes
//! token, as the chart's values have it.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EnvVar, EnvVarSource, KeyToPath,
    PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, SecretVolumeSource,
    SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::config::JobConfig;

/// Where a pod's Secret is mounted.
pub(crate) const INPUT: &str = "/run/ordinary-posthog/input";
/// Where the further certificate authorities are mounted; a database's URL may name them too.
const AUTHORITIES: &str = "/run/ordinary-posthog/ca";
const AUTHORITIES_FILE: &str = "ca.pem";
/// The group that may read the Secret's files.
const FILE_GROUP: i64 = 65532;
/// Told to stop, such as for a drained node: the run goes on in the next pod.
const INTERRUPTED: i32 = 130;
/// Seconds for the page or batch in flight to end.
const GRACE: i64 = 60;

/// What a pod is made of beside what the chart's values say of all.
pub(crate) struct PodOf<'a> {
    /// Its container's name, by which [`failure_policy`] knows it.
    pub(crate) container: &'static str,
    /// What the program is told; never a secret.
    pub(crate) arguments: Vec<String>,
    /// The Job's labels, which are also its own.
    pub(crate) labels: &'a BTreeMap<String, String>,
    /// The Secret that is mounted at [`INPUT`], where there is one.
    pub(crate) input: Option<&'a str>,
}

/// The pod.
pub(crate) fn pod(of: PodOf<'_>, config: &JobConfig) -> PodTemplateSpec {
    let mut labels = config.pod_labels.clone();
    labels.extend(of.labels.clone());
    let (volumes, mounts) = files(&of, config);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(config.pod_annotations.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            restart_policy: Some("Never".to_owned()),
            termination_grace_period_seconds: Some(GRACE),
            service_account_name: config.service_account_name.clone(),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            image_pull_secrets: some(config.image_pull_secrets.clone()),
            node_selector: (!config.node_selector.is_empty()).then(|| config.node_selector.clone()),
            tolerations: some(config.tolerations.clone()),
            affinity: config.affinity.clone(),
            priority_class_name: config.priority_class_name.clone(),
            security_context: Some(
                config
                    .pod_security_context
                    .clone()
                    .unwrap_or_else(restricted),
            ),
            containers: vec![container(of, config, mounts)],
            volumes: some(volumes),
            ..PodSpec::default()
        }),
    }
}

/// What the program is told of the further certificate authorities, where there are any.
pub(crate) fn authorities(config: &JobConfig) -> Option<String> {
    config
        .ca_bundle
        .as_ref()
        .map(|_| format!("--ca-bundle={AUTHORITIES}/{AUTHORITIES_FILE}"))
}

/// What becomes of the Job when its pod ends: after these exit codes it has failed, for the next pod
/// could only end the same; a pod that was told to stop does not count.
pub(crate) fn failure_policy(container: &str, final_exit_codes: &[i32]) -> PodFailurePolicy {
    let on_exit = |action: &str, codes: &[i32]| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(container.to_owned()),
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
            on_exit("FailJob", final_exit_codes),
            on_exit("Ignore", &[INTERRUPTED]),
        ],
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

/// Volumes, and where they are mounted.
fn files(of: &PodOf<'_>, config: &JobConfig) -> (Vec<Volume>, Vec<VolumeMount>) {
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let input = of.input.map(|secret| {
        let volume = Volume {
            name: "input".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.to_owned()),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        };
        (volume, mount("input", INPUT))
    });
    let authorities = config.ca_bundle.as_ref().map(|bundle| {
        let volume = Volume {
            name: "ca".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: bundle.name.clone(),
                items: Some(vec![KeyToPath {
                    key: bundle.key.clone(),
                    path: AUTHORITIES_FILE.to_owned(),
                    ..KeyToPath::default()
                }]),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        };
        (volume, mount("ca", AUTHORITIES))
    });
    input.into_iter().chain(authorities).unzip()
}

fn container(of: PodOf<'_>, config: &JobConfig, mounts: Vec<VolumeMount>) -> Container {
    let mut env = vec![EnvVar {
        name: "ORDINARY_POSTHOG_DATABASE_URL".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(config.database.clone()),
            ..EnvVarSource::default()
        }),
    }];
    env.extend(config.env.clone());
    Container {
        name: of.container.to_owned(),
        image: Some(config.image.clone()),
        image_pull_policy: config.image_pull_policy.clone(),
        args: Some(of.arguments),
        env: Some(env),
        resources: Some(config.resources.clone()),
        volume_mounts: some(mounts),
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
