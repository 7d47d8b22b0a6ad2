//! Names that the operator writes on objects: part of its API, so none is ever renamed.

/// Keeps a deleted connection until its key is forgotten and its Jobs are gone.
pub const FINALIZER: &str = "posthog.ordinary.dev/disconnect";
/// Who owns the fields that the operator writes.
pub const FIELD_MANAGER: &str = "ordinary-posthog";

/// Labels and annotations of Jobs and their Secrets.
pub mod labels {
    /// What it is: always [`super::FIELD_MANAGER`].
    pub const NAME: &str = "app.kubernetes.io/name";
    /// Which part of it: `sync`.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// Whose a Job or Secret is: always [`super::FIELD_MANAGER`].
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The connection's namespace.
    pub const CONNECTION_NAMESPACE: &str = "posthog.ordinary.dev/connection-namespace";
    /// The connection's name; a name longer than a label may be is shortened and hashed.
    pub const CONNECTION_NAME: &str = "posthog.ordinary.dev/connection-name";
    /// The connection's UID.
    pub const CONNECTION_UID: &str = "posthog.ordinary.dev/connection-uid";
    /// What the Job does: backfill, refresh, remap or purge.
    pub const KIND: &str = "posthog.ordinary.dev/kind";
    /// Which tick of the timetable it is.
    pub const TICK: &str = "posthog.ordinary.dev/tick";
    /// The mark of the settings that the Job works by.
    pub const FINGERPRINT: &str = "posthog.ordinary.dev/fingerprint";
    /// An annotation: the connection's namespace and name, whole, with a slash between.
    pub const CONNECTION: &str = "posthog.ordinary.dev/connection";
    /// An annotation: the Job's outcome is recorded in the connection's status.
    pub const RECORDED: &str = "posthog.ordinary.dev/recorded";
}
