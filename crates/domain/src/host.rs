//! The PostHog host that answers the private API, from whatever a merchant pasted.

use serde::{Deserialize, Serialize};
use url::Url;

/// An origin (scheme, host, port) that serves PostHog's private API, after mapping
/// ingestion hosts to it: `us.i` and `app` to `us`, `eu.i` to `eu` (POSTHOG.md 1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiHost(String);

/// Why a host cannot be used. Each message names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing there.
    #[error("host is empty: write PostHog's address, such as https://eu.posthog.com")]
    Empty,
    /// No `https://` in front.
    #[error("host {given:?} has no scheme: write https://{given}")]
    NoScheme {
        /// The value as given.
        given: String,
    },
    /// A scheme other than http and https.
    #[error("host {given:?} must begin with https://")]
    Scheme {
        /// The value as given.
        given: String,
    },
    /// A user name or password within the address.
    #[error("host must not contain a user name or password: the key belongs in apiKeySecretRef")]
    UserInfo,
    /// A path, query or fragment after the host.
    #[error("host {given:?} must end after the host name: write {origin}")]
    Path {
        /// The value as given.
        given: String,
        /// What to write instead.
        origin: String,
    },
    /// Not an address at all.
    #[error(
        "host {given:?} is not a web address ({why}): write PostHog's address, such as https://eu.posthog.com"
    )]
    Malformed {
        /// The value as given.
        given: String,
        /// What the parser says.
        why: String,
    },
}

impl ApiHost {
    /// Reads what a merchant wrote. Plain http is accepted here; whether it may be used
    /// is for the policy of [`crate::host`]'s callers, who know which names are allowed.
    ///
    /// # Errors
    /// [`HostError`] names what is wrong and what to write instead.
    pub fn parse(given: &str) -> Result<Self, HostError> {
        let given = given.trim();
        if given.is_empty() {
            return Err(HostError::Empty);
        }
        if !given.contains("://") {
            return Err(HostError::NoScheme {
                given: given.to_owned(),
            });
        }
        let url = Url::parse(given).map_err(|error| HostError::Malformed {
            given: given.to_owned(),
            why: error.to_string(),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HostError::Scheme {
                given: given.to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HostError::UserInfo);
        }
        let origin = url.origin().ascii_serialization();
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(HostError::Path {
                given: given.to_owned(),
                origin,
            });
        }
        Ok(Self(api_origin(&origin).to_owned()))
    }

    /// The origin, without a trailing slash: `https://eu.posthog.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the origin is plain http.
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// The host name or address alone, without scheme and port.
    pub fn host_name(&self) -> &str {
        let rest = self
            .0
            .split_once("://")
            .map_or(self.0.as_str(), |(_, rest)| rest);
        match rest.strip_prefix('[') {
            Some(v6) => v6.split_once(']').map_or(v6, |(address, _)| address),
            None => rest.split_once(':').map_or(rest, |(name, _)| name),
        }
    }

    /// The other PostHog Cloud region, where this is one: a key of one region is simply
    /// unknown in the other (POSTHOG.md 1.5).
    pub fn other_region(&self) -> Option<Self> {
        match self.0.as_str() {
            US => Some(Self(EU.to_owned())),
            EU => Some(Self(US.to_owned())),
            _ => None,
        }
    }
}

const US: &str = "https://us.posthog.com";
const EU: &str = "https://eu.posthog.com";

fn api_origin(origin: &str) -> &str {
    match origin.split_once("://").map_or(origin, |(_, host)| host) {
        "us.i.posthog.com" | "app.posthog.com" | "us.posthog.com" => US,
        "eu.i.posthog.com" | "eu.posthog.com" => EU,
        _ => origin,
    }
}

impl TryFrom<String> for ApiHost {
    type Error = HostError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        Self::parse(&value)
    }
}

impl From<ApiHost> for String {
    fn from(value: ApiHost) -> Self {
        value.0
    }
}

impl std::fmt::Display for ApiHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
