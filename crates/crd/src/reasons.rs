//! Reasons of conditions, each with what it means and the fix. They are part of the API:
//! people match on them, so none is ever renamed.

/// Ready: everything asked for is in force.
pub const AS_DESIRED: &str = "AsDesired";
/// Ready, Reconciling: the connection is being checked for the first time, or again after a change.
pub const CHECKING: &str = "Checking";
/// Ready, Stalled: the spec contradicts a rule. Fix: the message names the field.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// Ready, Synced: `spec.suspend` is set. Fix: set it to false.
pub const SUSPENDED: &str = "Suspended";
/// Ready: the store does not answer. Fix: look at the database.
pub const STORE_UNAVAILABLE: &str = "StoreUnavailable";

/// CredentialsValid: PostHog accepts the key for this project.
pub const KEY_ACCEPTED: &str = "KeyAccepted";
/// CredentialsValid: the Secret is not there. Fix: create it in the connection's namespace.
pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
/// CredentialsValid: the Secret lacks the key. Fix: add it, or name another in `apiKeySecretRef.key`.
pub const SECRET_KEY_NOT_FOUND: &str = "SecretKeyNotFound";
/// CredentialsValid: not a personal API key. Fix: create one (phx_…) in PostHog's settings.
pub const WRONG_KIND_OF_KEY: &str = "WrongKindOfKey";
/// CredentialsValid: PostHog does not know the key. Fix: create a new one and update the Secret.
pub const INVALID_API_KEY: &str = "InvalidApiKey";
/// CredentialsValid: the key lacks a required scope. Fix: add the scope that the message names.
pub const MISSING_SCOPE: &str = "MissingScope";
/// CredentialsValid: the project does not exist or the key may not see it. Fix: check `projectId`.
pub const PROJECT_NOT_FOUND: &str = "ProjectNotFound";
/// CredentialsValid: PostHog's other region knows the key. Fix: the host that the message names.
pub const WRONG_REGION: &str = "WrongRegion";
/// CredentialsValid: policy forbids the host. Fix: use a public https address, or have it allowed.
pub const HOST_REFUSED: &str = "HostRefused";
/// CredentialsValid, Synced: PostHog cannot be reached. It is tried again.
pub const UNREACHABLE: &str = "Unreachable";
/// CredentialsValid, Synced: what answers is not PostHog. Fix: check `host`.
pub const ANSWER_NOT_UNDERSTOOD: &str = "AnswerNotUnderstood";
/// CredentialsValid, Synced: PostHog's limits are used up. It goes on by itself.
pub const THROTTLED: &str = "Throttled";

/// PlanEligible: the workspace is on Starter or higher.
pub const PLAN_SUFFICIENT: &str = "PlanSufficient";
/// PlanEligible: the workspace's plan is below Starter. Fix: upgrade it.
pub const PLAN_TOO_LOW: &str = "PlanTooLow";
/// PlanEligible: the namespace has no known `ordinary.dev/plan` label. Fix: an administrator sets it.
pub const PLAN_UNKNOWN: &str = "PlanUnknown";

/// BackfillComplete: all configured days are read.
pub const BACKFILL_DONE: &str = "BackfillDone";
/// BackfillComplete: it is being read.
pub const BACKFILL_RUNNING: &str = "BackfillRunning";
/// BackfillComplete: it waits for its turn.
pub const BACKFILL_WAITING: &str = "BackfillWaiting";
/// BackfillComplete: the last attempt failed; it is tried again.
pub const BACKFILL_FAILED: &str = "BackfillFailed";

/// Synced: the last due run succeeded.
pub const UP_TO_DATE: &str = "UpToDate";
/// Synced: the project has no events yet. Fix: check that PostHog is installed in the shop.
pub const NO_EVENTS_YET: &str = "NoEventsYet";
/// Synced: the last run failed; it is tried again.
pub const SYNC_FAILED: &str = "SyncFailed";
/// Synced: no run succeeded for two intervals.
pub const OVERDUE: &str = "Overdue";
