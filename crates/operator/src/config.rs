//! How the operator was installed: read from the file that the chart writes.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Affinity, ConfigMapKeySelector, EnvVar, LocalObjectReference, PodSecurityContext,
};
use k8s_openapi::api::core::v1::{ResourceRequirements, SecretKeySelector, Toleration};
use serde::Deserialize;

use crate::leader::LeaseTiming;

/// How the operator was installed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorConfig {
    /// The operator's own namespace, where all Jobs run.
    pub namespace: String,
    /// Who this replica is among the others: the pod's name. Not in the file, which all share.
    #[serde(skip)]
    pub identity: String,
    /// How the pods of Jobs look.
    pub job: JobConfig,
    /// Jobs at once, over all connections; at least 1.
    #[serde(default = "default_syncs")]
    pub max_concurrent_syncs: usize,
    /// Reconciliations at once; at least 1.
    #[serde(default = "default_reconciles")]
    pub max_concurrent_reconciles: u16,
    /// Which connections are this operator's, as a label selector; absent means all. Several operators
    /// share a cluster when no connection has labels that two of them select.
    #[serde(default)]
    pub connection_selector: Option<String>,
    /// Host names or addresses that tenants may use although they are plain http or not public.
    #[serde(default)]
    pub allow_insecure_hosts: Vec<String>,
    /// Whether the other Cloud region may be asked about a key that the configured one does not know.
    #[serde(default = "yes")]
    pub region_probe: bool,
    /// Whether the operator may take its key out of tenants' Secrets when they disconnect.
    #[serde(default)]
    pub may_forget_secrets: bool,
    /// Waits, which tests shorten.
    #[serde(skip)]
    pub intervals: Intervals,
}

impl OperatorConfig {
    /// Reads the file that the chart writes; `identity` is still empty then.
    ///
    /// # Errors
    /// One sentence that names the field and what is wrong with it.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        let read: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        if read.namespace.is_empty() {
            return Err("namespace is empty: write the operator's own".to_owned());
        }
        if read.max_concurrent_syncs == 0 || read.max_concurrent_reconciles == 0 {
            return Err(
                "maxConcurrentSyncs and maxConcurrentReconciles must be 1 or more: nothing would ever run"
                    .to_owned(),
            );
        }
        Ok(read)
    }
}

/// How the pods of Jobs look.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobConfig {
    /// The image with the `ordinary-posthog` program.
    pub image: String,
    /// When the image is pulled.
    #[serde(default)]
    pub image_pull_policy: Option<String>,
    /// With which credentials it is pulled.
    #[serde(default)]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Where in the operator's namespace the database's URL is.
    pub database: DatabaseSecret,
    /// As whom the pods run; they get no token.
    #[serde(default)]
    pub service_account_name: Option<String>,
    /// What a pod may use.
    #[serde(default)]
    pub resources: ResourceRequirements,
    /// Where pods may run.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// Which taints they bear.
    #[serde(default)]
    pub tolerations: Vec<Toleration>,
    /// Where pods would rather run.
    #[serde(default)]
    pub affinity: Option<Affinity>,
    /// Further labels of the pods.
    #[serde(default)]
    pub pod_labels: BTreeMap<String, String>,
    /// Further annotations of the pods.
    #[serde(default)]
    pub pod_annotations: BTreeMap<String, String>,
    /// How important they are.
    #[serde(default)]
    pub priority_class_name: Option<String>,
    /// The security context of pods; the default is the restricted one.
    #[serde(default)]
    pub pod_security_context: Option<PodSecurityContext>,
    /// Further environment variables, such as how and what the pods log.
    #[serde(default)]
    pub env: Vec<EnvVar>,
    /// A ConfigMap's key with further certificate authorities for PostHog's host.
    #[serde(default)]
    pub ca_bundle: Option<ConfigMapKeySelector>,
    /// Seconds after which a backfill is stopped; its next attempt goes on from there.
    #[serde(default = "default_backfill_deadline")]
    pub backfill_deadline_seconds: i64,
    /// Seconds after which any other run is stopped.
    #[serde(default = "default_refresh_deadline")]
    pub refresh_deadline_seconds: i64,
    /// Seconds for which a Job stays after its outcome is recorded.
    #[serde(default = "default_ttl")]
    pub ttl_seconds: i32,
}

/// The entry of a Secret that holds the database's URL.
pub type DatabaseSecret = SecretKeySelector;

/// Waits of the operator.
#[derive(Debug, Clone)]
pub struct Intervals {
    /// From one look at the Secret to the next while credentials are bad.
    pub secret_poll: Duration,
    /// From one check of a connection that works to the next.
    pub check: Duration,
    /// From one report of a backfill's progress to the next.
    pub progress: Duration,
    /// How long one check may take.
    pub check_timeout: Duration,
    /// How long a disconnect tries to stop reads in the store before it goes on without.
    pub store_patience: Duration,
    /// How long after a deletion an API server that does not take the key out of the tenant's Secret is
    /// asked again.
    pub forget_patience: Duration,
    /// From one comparison of the store with the cluster to the next.
    pub sweep: Duration,
    /// How long leadership lasts.
    pub lease: LeaseTiming,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            secret_poll: Duration::from_secs(30),
            check: Duration::from_secs(24 * 3600),
            progress: Duration::from_secs(60),
            check_timeout: Duration::from_secs(90),
            store_patience: Duration::from_secs(5),
            forget_patience: Duration::from_secs(60),
            sweep: Duration::from_secs(60),
            lease: LeaseTiming::default(),
        }
    }
}

fn default_syncs() -> usize {
    20
}

fn default_reconciles() -> u16 {
    32
}

fn default_backfill_deadline() -> i64 {
    24 * 3600
}

fn default_refresh_deadline() -> i64 {
    2 * 3600
}

fn default_ttl() -> i32 {
    600
}

fn yes() -> bool {
    true
}
