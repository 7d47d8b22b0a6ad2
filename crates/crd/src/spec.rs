//! What a merchant asks for: the connection, and the parts of it that are a field or two.

use domain::backfill_way::Via;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::autocapture::Autocapture;
use crate::identity::Identity;
use crate::mapping::Mapping;
use crate::refresh::{Refresh, grace_rule};
use crate::schema::{DURATION_PATTERN, rule};
use crate::status::PostHogConnectionStatus;

/// A merchant's PostHog project and how it is read.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "integrations.ordinary.dev",
    version = "v1alpha1",
    kind = "PostHogConnection",
    namespaced,
    status = "PostHogConnectionStatus",
    derive = "PartialEq",
    shortname = "phc",
    category = "ordinary",
    category = "all",
    doc = "Connects a PostHog project to Ordinary: its events, counts and identities are read and kept beside the shop's orders.",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name": "Project", "type": "string", "jsonPath": ".status.project.name"}"#,
    printcolumn = r#"{"name": "Last Sync", "type": "date", "jsonPath": ".status.lastSync.completionTime"}"#,
    printcolumn = r#"{"name": "Next Sync", "type": "string", "jsonPath": ".status.nextSyncTime"}"#,
    printcolumn = r#"{"name": "Events 24h", "type": "integer", "jsonPath": ".status.eventsLast24h"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct PostHogConnectionSpec {
    /// PostHog's address: https://us.posthog.com, https://eu.posthog.com or an own domain.
    /// Ingestion hosts (us.i, eu.i) and app.posthog.com are mapped to the API hosts.
    #[schemars(length(min = 1, max = 300))]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self.matches('(?i)^https?://')", "host must begin with https://, such as https://eu.posthog.com"),
        rule("!self.contains('@')", "host must not contain a user name or password: the key belongs in apiKeySecretRef"),
        rule("self.matches('^[^:]*(://)?[^/?#]*/?$')", "host must end after the host name: remove the path, such as https://eu.posthog.com"),
    ]))]
    pub host: String,

    /// The project's number, from PostHog's project settings.
    #[schemars(range(min = 1))]
    pub project_id: i64,

    /// The Secret of the same namespace that holds the personal API key (phx_…).
    pub api_key_secret_ref: ApiKeySecretRef,

    /// Pauses reading; what is stored stays readable.
    #[serde(default)]
    pub suspend: bool,

    /// Which events feed which funnel stage. A stage that is left out gets defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Mapping")]
    pub mapping: Option<Mapping>,

    /// How the first days are read.
    #[serde(default)]
    pub backfill: Backfill,

    /// How often new events are read, and how far each time looks back.
    #[serde(default)]
    pub refresh: Refresh,

    /// Clicks that PostHog captured by itself, and the clickmaps made of them.
    #[serde(default)]
    pub autocapture: Autocapture,

    /// PostHog's cohorts.
    #[serde(default)]
    pub cohorts: Cohorts,

    /// Which event properties carry ids of the shop. One that is added later is read of the events that come from
    /// then on.
    #[serde(default)]
    pub identity: Identity,

    /// The IANA time zone whose days are counted, such as Europe/Berlin. Default: the project's in PostHog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// Days after which stored events are removed.
    #[serde(default = "default_retention")]
    #[schemars(range(min = 1, max = 3650))]
    pub retention_days: i64,

    /// Delete: after a disconnect rows are removed when the grace period is over, and so are those of the host or
    /// project before after a change of it. Retain: they stay for good.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// How long rows stay after a disconnect, or once another host's or project's backfill is complete, as 168h or
    /// 90m; whoever recreates the connection or changes back within it finds them again.
    #[serde(default = "default_grace")]
    #[schemars(length(max = 24), regex(pattern = DURATION_PATTERN))]
    #[schemars(extend("x-kubernetes-validations" = [grace_rule()]))]
    pub deletion_grace_period: String,
}

/// The key of a Secret that is meant where none is named.
pub const DEFAULT_SECRET_KEY: &str = "apiKey";

/// A key of a Secret in the connection's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeySecretRef {
    /// The Secret's name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
    /// The key within the Secret.
    #[serde(default = "default_secret_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// How the first days are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backfill {
    /// How many days back; it begins at the start of that UTC day.
    #[serde(default = "default_backfill_days")]
    #[schemars(range(min = 1, max = 365))]
    pub days: i64,
    /// How the events are read. Query: by PostHog's query API. FileExport: by PostHog's file exports, which it bills
    /// and which need the key's scope batch_export:write; by queries where they fail. Auto: by file exports where
    /// the key has that scope and there are 50,000 events or more, else by queries.
    #[serde(default)]
    pub via: BackfillVia,
}

/// By which way the backfill is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum BackfillVia {
    /// File exports where the key has the scope batch_export:write, by its name, and there are 50,000 events or
    /// more; else queries.
    #[default]
    Auto,
    /// PostHog's query API.
    Query,
    /// PostHog's file exports, which it bills; they need the scope batch_export:write. Queries where they fail.
    FileExport,
}

impl From<BackfillVia> for domain::backfill_way::BackfillVia {
    fn from(via: BackfillVia) -> Self {
        match via {
            BackfillVia::Auto => Self::Auto,
            BackfillVia::Query => Self::Query,
            BackfillVia::FileExport => Self::FileExport,
        }
    }
}

impl From<Via> for BackfillVia {
    fn from(via: Via) -> Self {
        match via {
            Via::Query => Self::Query,
            Via::FileExport => Self::FileExport,
        }
    }
}

/// PostHog's cohorts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cohorts {
    /// Which cohorts are kept. All: every one that PostHog lists. None: no cohort; those that are stored are removed.
    #[serde(default)]
    pub include: CohortSelection,
}

/// Which cohorts are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CohortSelection {
    /// Every one that PostHog lists.
    #[default]
    All,
    /// None: those that are stored are removed.
    None,
}

/// What becomes of rows after a disconnect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They are removed after the grace period.
    #[default]
    Delete,
    /// They stay for good.
    Retain,
}

impl Default for Backfill {
    fn default() -> Self {
        Self {
            days: default_backfill_days(),
            via: BackfillVia::Auto,
        }
    }
}

fn default_secret_key() -> String {
    DEFAULT_SECRET_KEY.to_owned()
}

fn default_backfill_days() -> i64 {
    30
}

fn default_retention() -> i64 {
    400
}

fn default_grace() -> String {
    "168h".to_owned()
}
