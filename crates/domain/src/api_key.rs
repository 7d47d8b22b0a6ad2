//! The personal API key: told apart from PostHog's other keys before it is ever sent.

use secrecy::{ExposeSecret, SecretString};

/// A personal API key: `phx_…`, or a legacy one without prefix (POSTHOG.md 2.1).
#[derive(Debug, Clone)]
pub struct ApiKey(SecretString);

/// Why a text is not a personal API key. No message repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
pub enum ApiKeyError {
    /// Empty, or white space alone.
    #[error("the API key is empty: put a personal API key (phx_…) there")]
    Empty,
    /// White space or a control character within it.
    #[error("the API key contains a space or a line break: copy it again, whole and alone")]
    Whitespace,
    /// A project token.
    #[error(
        "this is a project token (phc_…), which can only send events: create a personal API key (phx_…) in PostHog's settings"
    )]
    ProjectToken,
    /// A project secret API key.
    #[error(
        "this is a project secret API key (phs_…), which cannot read events: create a personal API key (phx_…) in PostHog's settings"
    )]
    ProjectSecretKey,
    /// An OAuth token.
    #[error(
        "this is an OAuth token (pha_… or phr_…), which expires: create a personal API key (phx_…) in PostHog's settings"
    )]
    OAuthToken,
    /// Some other text.
    #[error(
        "this does not look like a PostHog personal API key, which is phx_ and then letters and digits: copy it again, whole and alone"
    )]
    Unknown,
}

impl ApiKey {
    /// Reads a key. White space around it is taken off (a Secret often ends in a line break);
    /// the second value says whether there was any.
    ///
    /// # Errors
    /// [`ApiKeyError`] tells which other kind of key it is; the key itself is never repeated.
    pub fn parse(given: &SecretString) -> Result<(Self, bool), ApiKeyError> {
        let raw = given.expose_secret();
        let key = raw.trim();
        let error = if key.is_empty() {
            ApiKeyError::Empty
        } else if key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            ApiKeyError::Whitespace
        } else if key.starts_with("phc_") {
            ApiKeyError::ProjectToken
        } else if key.starts_with("phs_") {
            ApiKeyError::ProjectSecretKey
        } else if key.starts_with("pha_") || key.starts_with("phr_") {
            ApiKeyError::OAuthToken
        } else if is_personal(key) || is_legacy(key) {
            return Ok((Self(SecretString::from(key)), key.len() != raw.len()));
        } else {
            ApiKeyError::Unknown
        };
        Err(error)
    }

    /// Whether it carries the `phx_` prefix: only such a key is ever shown to another region.
    pub fn is_prefixed(&self) -> bool {
        self.0.expose_secret().starts_with("phx_")
    }

    /// The key, for the Authorization header alone.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// The prefix and something after it.
fn is_personal(key: &str) -> bool {
    key.is_ascii()
        && key
            .strip_prefix("phx_")
            .is_some_and(|rest| !rest.is_empty())
}

/// Keys made before the prefix existed are 43 URL-safe base64 characters (POSTHOG.md 2.1).
fn is_legacy(key: &str) -> bool {
    key.len() == 43
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests;
