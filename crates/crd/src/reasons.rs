//! Reasons of conditions, each with what it means and the fix. They are part of the API: people match
//! on them, so none is ever renamed. `docs/conditions.md` is the same as a table.

// Of every condition.

/// Ready: everything asked for is in force.
pub const AS_DESIRED: &str = "AsDesired";
/// Ready, Reconciling, CredentialsValid: the connection is being checked for the first time, or again after a change.
pub const CHECKING: &str = "Checking";
/// Ready, Reconciling: stored events are being assigned by a changed mapping or time zone.
pub const REMAPPING: &str = "Remapping";
/// Ready, Stalled: the spec contradicts a rule, or is of another version. Fix: change the field that the message names.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// Ready, Synced: `spec.suspend` is set. Fix: set it to false.
pub const SUSPENDED: &str = "Suspended";
/// Ready: the namespace is being deleted.
pub const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";
/// Ready, Reconciling: the store does not answer. Fix: look at the database; it goes on by itself.
pub const STORE_UNAVAILABLE: &str = "StoreUnavailable";
/// Ready, Stalled, Synced, BackfillComplete: the API server refuses the Job, such as for a quota. Fix: raise the quota or give the right that the message names, in the operator's namespace.
pub const JOB_REFUSED: &str = "JobRefused";

// Of the key, the project and the host: what fails needs a person.

/// CredentialsValid: PostHog accepts the key for this project.
pub const KEY_ACCEPTED: &str = "KeyAccepted";
/// CredentialsValid: nothing is asked of PostHog while the connection is not allowed to be read: its plan, `spec.suspend` or a mistake in its spec is against it. See Ready.
pub const NOT_CHECKED: &str = "NotChecked";
/// CredentialsValid, Ready, Stalled: the Secret is not there. Fix: create it in the connection's namespace.
pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
/// CredentialsValid, Ready, Stalled: the operator is not allowed to read the Secret. Fix: give its ServiceAccount `get` on Secrets.
pub const SECRET_FORBIDDEN: &str = "SecretForbidden";
/// CredentialsValid, Ready, Stalled: the Secret lacks the key. Fix: add it, or name another in `apiKeySecretRef.key`.
pub const SECRET_KEY_NOT_FOUND: &str = "SecretKeyNotFound";
/// CredentialsValid, Ready, Stalled, and Synced where a Job met it: not a personal API key. Fix: create one (phx_…) in PostHog's settings.
pub const WRONG_KIND_OF_KEY: &str = "WrongKindOfKey";
/// CredentialsValid, Ready, Stalled, Synced: PostHog does not know the key. Fix: create a new one and update the Secret.
pub const INVALID_API_KEY: &str = "InvalidApiKey";
/// CredentialsValid, Ready, Stalled, Synced: PostHog's other region knows the key. Fix: set `host` to the one that the message names.
pub const WRONG_REGION: &str = "WrongRegion";
/// CredentialsValid, Ready, Stalled, Synced: the key lacks a required scope. Fix: add the scope that the message names.
pub const MISSING_SCOPE: &str = "MissingScope";
/// CredentialsValid, Ready, Stalled, Synced: the project does not exist or the key may not see it. Fix: copy `projectId` from PostHog's project settings.
pub const PROJECT_NOT_FOUND: &str = "ProjectNotFound";
/// CredentialsValid, Ready, Stalled, Synced: the key may not read the project. Fix: let its owner into the project, or create a key of somebody who is.
pub const NO_PROJECT_ACCESS: &str = "NoProjectAccess";
/// CredentialsValid, Ready, Stalled, Synced: policy forbids the host: plain http, or an address that is not public. Fix: use a public https address, or have an administrator allow it (`posthog.allowInsecureHosts` of the chart).
pub const HOST_REFUSED: &str = "HostRefused";
/// CredentialsValid, Ready, Stalled, Synced: the host answers with a redirect. Fix: set `host` to the address that answers itself.
pub const REDIRECTED: &str = "Redirected";
/// CredentialsValid, Ready, Stalled, Synced: what answers is not PostHog. Fix: check `host`.
pub const NOT_POSTHOG: &str = "NotPostHog";
/// CredentialsValid, Ready, Stalled, Synced: the host's certificate is not trusted. Fix: name its authority in `posthog.caBundle` of the chart.
pub const TLS: &str = "Tls";
/// Synced, and of a check CredentialsValid, Ready, Stalled: PostHog refuses for a reason of its own. Fix: read the message.
pub const REFUSED: &str = "Refused";
/// Synced: a property name of `spec.identity` cannot be asked of PostHog. Fix: change it.
pub const ID_PROPERTY: &str = "IdProperty";

// Of PostHog's and the network's moods: they pass by themselves. Where they show beside Synced depends on when
// they come.

/// Synced: PostHog cannot be reached. Fix: check `host` and the network, if it stays so.
pub const UNREACHABLE: &str = "Unreachable";
/// Synced: PostHog takes too long.
pub const TIMEOUT: &str = "Timeout";
/// Synced: PostHog is not available at the moment.
pub const UNAVAILABLE: &str = "Unavailable";
/// Synced: PostHog's limits are used up.
pub const THROTTLED: &str = "Throttled";
/// Synced: PostHog's quota of API queries for the billing period is used up. Fix: raise it in PostHog's billing settings, or wait for the next period.
pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
/// Synced: PostHog's answer broke off.
pub const TRUNCATED: &str = "Truncated";
/// Synced: PostHog's answer is larger than is taken.
pub const TOO_LARGE: &str = "TooLarge";
/// Synced: PostHog could not finish a query.
pub const QUERY_TOO_HEAVY: &str = "QueryTooHeavy";
/// Synced: PostHog cannot answer for some instant, however small the query.
pub const TOO_HEAVY: &str = "TooHeavy";
/// Synced, and of a check CredentialsValid, Ready, Stalled: PostHog refuses a query itself. Fix: report it: PostHog may have changed.
pub const QUERY_REJECTED: &str = "QueryRejected";
/// Synced, and of a check CredentialsValid, Ready, Stalled: PostHog's answer cannot be understood. Fix: check `host`; report it, if that is right.
pub const MALFORMED: &str = "Malformed";
/// Reserved: an operator with a CA bundle that cannot be used ends with exit code 10, a Job with `Configuration`.
pub const CA_BUNDLE: &str = "CaBundle";
/// Synced, and of a check CredentialsValid, Ready, Stalled: the HTTPS client cannot send the request. Fix: read the message.
pub const SETUP: &str = "Setup";
/// Synced: the store did not keep the budget of requests. Fix: look at the database.
pub const GATE: &str = "Gate";

// Of the workspace's plan.

/// PlanEligible: the workspace is on Starter or higher.
pub const PLAN_SUFFICIENT: &str = "PlanSufficient";
/// PlanEligible, Ready, Stalled, and Synced where a Job met it: the workspace's plan is below Starter: nothing is read, what is stored stays. Fix: upgrade it.
pub const PLAN_TOO_LOW: &str = "PlanTooLow";
/// PlanEligible, Ready, Stalled: the namespace has no known `ordinary.dev/plan` label. Fix: an administrator sets it to starter, growth or scale.
pub const PLAN_UNKNOWN: &str = "PlanUnknown";

// Of runs.

/// BackfillComplete: all configured days are read.
pub const BACKFILL_DONE: &str = "BackfillDone";
/// BackfillComplete, Synced: the backfill is under way.
pub const BACKFILL_RUNNING: &str = "BackfillRunning";
/// BackfillComplete, Synced: the backfill waits for its turn.
pub const BACKFILL_WAITING: &str = "BackfillWaiting";
/// BackfillComplete: the last attempt at the backfill failed; it is tried again.
pub const BACKFILL_FAILED: &str = "BackfillFailed";
/// BackfillComplete, Synced: the backfill cannot begin.
pub const BACKFILL_BLOCKED: &str = "BackfillBlocked";
/// Synced: the last due run succeeded.
pub const UP_TO_DATE: &str = "UpToDate";
/// Synced: No events yet: the project has none. Fix: check that PostHog's snippet runs in the shop.
pub const NO_EVENTS_YET: &str = "NoEventsYet";
/// Ready, Synced: no run succeeded for two intervals, and none failed. Fix: look at the operator and at its Jobs; raise `operator.maxConcurrentSyncs` of the chart if they wait.
pub const OVERDUE: &str = "Overdue";
/// Synced, BackfillComplete: the Job's pod does not start. Fix: `kubectl describe job` in the operator's namespace tells why: image, quota, nodes.
pub const POD_NOT_RUNNING: &str = "PodNotRunning";
/// Synced: the run took longer than allowed; the next one goes on from there. Fix: raise `jobs.backfillDeadlineSeconds` or `jobs.refreshDeadlineSeconds` of the chart, if it repeats.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
/// Synced: the Job cannot use its configuration. Fix: read its log.
pub const CONFIGURATION: &str = "Configuration";
/// Reserved: a Job that cannot use the store shows as `JobFailed`.
pub const STORE_FAILED: &str = "StoreFailed";
/// Synced: the Job failed without saying why: it crashed, could not use the store, or found another run at the connection. Fix: read its log; look at the database.
pub const JOB_FAILED: &str = "JobFailed";
/// Reserved: another run held the connection, which shows as `JobFailed`.
pub const BUSY: &str = "Busy";
/// Synced: the time zone is not one. Fix: set `spec.timeZone`.
pub const UNKNOWN_TIME_ZONE: &str = "UnknownTimeZone";
/// Reserved: the store holds something unreadable, which shows as `StoreUnavailable` or `JobFailed`.
pub const CORRUPT: &str = "Corrupt";
/// Reserved: the store cannot be used, which shows as `StoreUnavailable` or `JobFailed`.
pub const UNUSABLE: &str = "Unusable";

/// Every reason.
pub const ALL: &[&str] = &[
    AS_DESIRED,
    CHECKING,
    REMAPPING,
    INVALID_SPEC,
    SUSPENDED,
    NAMESPACE_TERMINATING,
    STORE_UNAVAILABLE,
    JOB_REFUSED,
    KEY_ACCEPTED,
    NOT_CHECKED,
    SECRET_NOT_FOUND,
    SECRET_FORBIDDEN,
    SECRET_KEY_NOT_FOUND,
    WRONG_KIND_OF_KEY,
    INVALID_API_KEY,
    WRONG_REGION,
    MISSING_SCOPE,
    PROJECT_NOT_FOUND,
    NO_PROJECT_ACCESS,
    HOST_REFUSED,
    REDIRECTED,
    NOT_POSTHOG,
    TLS,
    REFUSED,
    ID_PROPERTY,
    UNREACHABLE,
    TIMEOUT,
    UNAVAILABLE,
    THROTTLED,
    QUOTA_EXCEEDED,
    TRUNCATED,
    TOO_LARGE,
    QUERY_TOO_HEAVY,
    TOO_HEAVY,
    QUERY_REJECTED,
    MALFORMED,
    CA_BUNDLE,
    SETUP,
    GATE,
    PLAN_SUFFICIENT,
    PLAN_TOO_LOW,
    PLAN_UNKNOWN,
    BACKFILL_DONE,
    BACKFILL_RUNNING,
    BACKFILL_WAITING,
    BACKFILL_FAILED,
    BACKFILL_BLOCKED,
    UP_TO_DATE,
    NO_EVENTS_YET,
    OVERDUE,
    POD_NOT_RUNNING,
    DEADLINE_EXCEEDED,
    CONFIGURATION,
    STORE_FAILED,
    JOB_FAILED,
    BUSY,
    UNKNOWN_TIME_ZONE,
    CORRUPT,
    UNUSABLE,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_reason_is_documented_once() {
        let table = include_str!("../../../docs/conditions.md");
        for reason in ALL {
            let rows = table.matches(&format!("\n| `{reason}` |")).count();
            assert_eq!(rows, 1, "{reason}");
        }
        assert_eq!(table.matches("\n| `").count(), ALL.len());
    }
}
