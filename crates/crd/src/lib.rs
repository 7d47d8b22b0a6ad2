//! `PostHogConnection`: the custom resource as Rust types, the schema that a cluster is given,
//! and the one place where a spec becomes domain types or a list of problems.

mod annotations;
mod autocapture;
mod conditions;
mod generate;
mod identity;
mod mapping;
mod quoted;
pub mod reasons;
mod refresh;
mod schema;
mod spec;
mod status;
mod validate;

pub use self::annotations::{
    API_KEY_ENV_ANNOTATION, API_KEY_FILE_ANNOTATION, REFRESH_REQUESTED_ANNOTATION,
};
pub use self::autocapture::Autocapture;
pub use self::conditions::{
    BACKFILL_COMPLETE, CREDENTIALS_VALID, Condition, ConditionStatus, PLAN_ELIGIBLE, READY,
    RECONCILING, STALLED, SYNCED, set_condition,
};
pub use self::generate::generate_crd;
pub use self::identity::Identity;
pub use self::mapping::{
    Checkout, CheckoutSource, Mapping, ORDER_COMPLETED_REFUSED, Stage, StageEvent,
};
pub use self::quoted::{looks_like_key, quoted};
pub use self::refresh::Refresh;
pub use self::schema::DURATION_PATTERN;
pub use self::spec::{
    ApiKeySecretRef, Backfill, BackfillVia, CohortSelection, Cohorts, DEFAULT_SECRET_KEY,
    DeletionPolicy, PostHogConnection, PostHogConnectionSpec,
};
pub use self::status::{
    BackfillStatus, CohortsStatus, CompletenessStatus, EvidenceStatus, FailureStatus, KeyStatus,
    LatestEventStatus, PersonsStatus, PostHogConnectionStatus, ProjectStatus, StageEventStatus,
    StageSource, StageStatus, SyncStatus,
};
pub use self::validate::{
    FieldError, ValidBackfill, ValidConnection, ValidDeletion, ValidRefresh, is_dns_label,
    is_dns_subdomain, is_secret_key, validate,
};

/// The API group of every kind of ours.
pub const GROUP: &str = "integrations.ordinary.dev";
/// The only version of the group that exists.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of a `PostHogConnection`.
pub const API_VERSION: &str = "integrations.ordinary.dev/v1alpha1";
/// `kind` of a `PostHogConnection`.
pub const KIND: &str = "PostHogConnection";
