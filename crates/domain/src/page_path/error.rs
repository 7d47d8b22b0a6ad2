//! Why a `urlPath` pattern is refused, each time with what to write instead.

/// A pattern that cannot be read, or that no page could ever match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
pub enum PathPatternError {
    /// Nothing there.
    #[error(
        "urlPath is empty: write a path such as /products/*, or leave urlPath out for any page"
    )]
    Empty,
    /// White space at its ends, or a control character within.
    #[error("urlPath {0:?} has white space around it or a control character in it: remove it")]
    Unclean(String),
    /// A whole address.
    #[error("urlPath {given:?} is a whole address: write its path alone, {path:?}")]
    Address {
        /// The value as given.
        given: String,
        /// What to write instead.
        path: String,
    },
    /// It does not begin with a slash.
    #[error("urlPath {0:?} must begin with a slash: write \"/{0}\"")]
    NotAbsolute(String),
    /// A query or fragment, which pages are compared without.
    #[error("urlPath {given:?} must not have a query or fragment: write {path:?}")]
    Query {
        /// The value as given.
        given: String,
        /// What to write instead.
        path: String,
    },
    /// Two slashes in a row, or one at the end.
    #[error("urlPath {given:?} has a repeated or trailing slash: write {path:?}")]
    EmptySegment {
        /// The value as given.
        given: String,
        /// What to write instead.
        path: String,
    },
    /// A star that is not a whole segment.
    #[error(
        "urlPath {given:?} has {segment:?}: a * must be a whole segment between slashes, ** any number of segments"
    )]
    PartialWildcard {
        /// The value as given.
        given: String,
        /// The segment with the star.
        segment: String,
    },
    /// It begins with what is dropped from every page's path, so that nothing could match.
    #[error(
        "urlPath {given:?} can match no page, for language prefixes such as /fr and /collections/… before /products are left out of the comparison: write {path:?}"
    )]
    Dropped {
        /// The value as given.
        given: String,
        /// What to write instead.
        path: String,
    },
}
