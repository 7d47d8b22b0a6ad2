//! Annotations of a `PostHogConnection` that mean something here.

/// Asks for a refresh now: any new value does, a timestamp by convention.
pub const REFRESH_REQUESTED_ANNOTATION: &str = "posthog.ordinary.dev/refresh-requested-at";

/// Outside a cluster: the file that holds the API key, relative to the document's folder.
pub const API_KEY_FILE_ANNOTATION: &str = "posthog.ordinary.dev/api-key-file";

/// Outside a cluster: the environment variable that holds the API key.
pub const API_KEY_ENV_ANNOTATION: &str = "posthog.ordinary.dev/api-key-env";
