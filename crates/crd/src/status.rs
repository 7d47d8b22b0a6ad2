//! What was found: the status of a connection, written only by the operator.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Condition;
use crate::schema::instant;
use crate::spec::BackfillVia;

/// What was found about a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PostHogConnectionStatus {
    /// The generation of the spec that the rest was found for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling, Stalled, CredentialsValid, PlanEligible, BackfillComplete, Synced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The project as PostHog describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectStatus>,
    /// The key as PostHog describes it; never its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyStatus>,
    /// The most recent event that PostHog has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_event: Option<LatestEventStatus>,
    /// What is in force for each stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["stage"]))]
    pub mapping: Vec<StageStatus>,
    /// How far the backfill is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<BackfillStatus>,
    /// The last run that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<SyncStatus>,
    /// When the next run is due, or the next attempt after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub next_sync_time: Option<Timestamp>,
    /// Checks and runs that failed since the last one that did not.
    #[serde(skip_serializing_if = "is_zero")]
    pub consecutive_failures: i64,
    /// The last check or run that failed; absent after a run that did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<FailureStatus>,
    /// Events of the 24 hours before the last run began.
    #[serde(rename = "eventsLast24h", skip_serializing_if = "Option::is_none")]
    pub events_last_24h: Option<i64>,
    /// How many days are proven to be complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completeness: Option<CompletenessStatus>,
    /// How the persons of distinct ids stand; absent before the first run has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persons: Option<PersonsStatus>,
    /// How the cohorts stand; absent while PostHog lists none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cohorts: Option<CohortsStatus>,
    /// The value of the refresh-requested-at annotation that was last acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh_request: Option<String>,
}

/// The project as PostHog describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectStatus {
    /// Its number.
    pub id: i64,
    /// Its display name.
    pub name: String,
    /// Its IANA time zone.
    pub time_zone: String,
}

/// The key as PostHog describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    /// The version of the Secret that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_resource_version: Option<String>,
    /// PostHog's own masked form; absent until PostHog has accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_value: Option<String>,
    /// Scopes that it has.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub scopes: Vec<String>,
    /// Optional scopes that it lacks.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub missing_scopes: Vec<String>,
    /// Scopes that are broader than needed.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub too_broad: Vec<String>,
}

/// The most recent event that PostHog has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatestEventStatus {
    /// Its name.
    pub name: String,
    /// When it happened.
    #[schemars(schema_with = "instant")]
    pub timestamp: Timestamp,
}

/// What is in force for one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageStatus {
    /// The stage, as its field in spec.mapping.
    pub stage: String,
    /// Who decided.
    pub source: StageSource,
    /// What feeds it.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub events: Vec<StageEventStatus>,
    /// Events of the stage in the last 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_last7_days: Option<i64>,
    /// What needs a look: DoubleTracked, when two names chosen by default are sent on the same day;
    /// MaybeRenamed, when no event of the stage came on the last 7 days and a suggestion had 10 or more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub flags: Vec<String>,
    /// Events that could feed the stage but do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub suggestions: Vec<String>,
    /// What speaks for the suggestions that were sent in the last 30 days, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub evidence: Vec<EvidenceStatus>,
    /// With the flag MaybeRenamed: the event that may have taken the place of the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maybe_renamed_to: Option<String>,
}

/// What speaks for a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceStatus {
    /// The suggested event.
    pub name: String,
    /// Why it is suggested.
    pub reason: String,
    /// Its events of the last 30 days; of $pageview those of product pages, among its newest 10,000.
    pub events: i64,
    /// Of the newest 200 of these: those with an event of another stage by the same distinct id within a day.
    pub judged: i64,
    /// Of these: those that keep the funnel's order.
    pub in_order: i64,
}

/// Who decided what feeds a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StageSource {
    /// Chosen from the names that the project has.
    Default,
    /// Written in the spec.
    Override,
    /// Shopify feeds it.
    Shopify,
}

/// An event that feeds a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageEventStatus {
    /// Its name.
    pub name: String,
    /// Where the page must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_path: Option<String>,
}

/// How far the backfill is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackfillStatus {
    /// First instant that is read.
    #[schemars(schema_with = "instant")]
    pub from: Timestamp,
    /// First instant that is not.
    #[schemars(schema_with = "instant")]
    pub to: Timestamp,
    /// Up to which instant everything is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub completed_through: Option<Timestamp>,
    /// Events stored by it.
    pub events: i64,
    /// How much of it is done, 0 to 100.
    pub percent: i64,
    /// By which way it is read: Query or FileExport.
    pub via: BackfillVia,
    /// Why it is read that way: what the spec says, what the key allows, why file exports were given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via_reason: Option<String>,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// When it began.
    #[schemars(schema_with = "instant")]
    pub start_time: Timestamp,
    /// When it ended.
    #[schemars(schema_with = "instant")]
    pub completion_time: Timestamp,
    /// Events stored that were not there before.
    pub events: i64,
    /// Rows that were stored already.
    pub duplicates: i64,
    /// Events that came in after their time.
    pub late_events: i64,
}

/// A check or run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureStatus {
    /// When.
    #[schemars(schema_with = "instant")]
    pub time: Timestamp,
    /// Why, as one word.
    pub reason: String,
    /// Why, as a sentence with the fix.
    pub message: String,
    /// The Job that ran, in the operator's namespace; absent where it was a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// How many days are proven to be complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompletenessStatus {
    /// Days whose count equals PostHog's.
    pub verified_days: i64,
    /// Days whose count differs and that are being read again, or wait for a second count.
    pub pending_days: i64,
    /// Days whose count differs although they were read again twice.
    pub mismatched_days: i64,
    /// The UTC day that differs most, as 2026-03-29.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_day: Option<String>,
    /// Events that PostHog counted on that day.
    #[serde(
        default,
        rename = "worstDayPostHogEvents",
        skip_serializing_if = "Option::is_none"
    )]
    pub worst_day_posthog_events: Option<i64>,
    /// Events that were stored of that day when it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_day_stored_events: Option<i64>,
}

/// How the persons of distinct ids stand after the last run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonsStatus {
    /// When the persons of all distinct ids were last read, which is due every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub last_read_time: Option<Timestamp>,
    /// Why they are not, or not all, as PostHog has them, and the fix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How the cohorts stand after the last run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CohortsStatus {
    /// Cohorts that PostHog lists.
    pub listed: i64,
    /// Cohorts that PostHog failed to compute when it last tried: their members are of an earlier time.
    pub failing: i64,
    /// Cohorts whose members could not be read as PostHog says they are.
    pub behind: i64,
    /// What is wrong with the first of them, and the fix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
