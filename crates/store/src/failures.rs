//! Failures that every store raises alike.

use domain::storage::StoreError;

/// Stored data that cannot be read back.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        detail: what.to_string(),
    }
}

/// Something that was looked for and is not there.
pub(crate) fn not_found(what: impl std::fmt::Display) -> StoreError {
    StoreError::NotFound {
        what: what.to_string(),
    }
}

/// A database that a person must do something about.
pub(crate) fn unusable(detail: impl Into<String>) -> StoreError {
    StoreError::Unusable {
        detail: detail.into(),
    }
}

/// A database that may answer again by itself.
pub(crate) fn unavailable(detail: impl Into<String>) -> StoreError {
    StoreError::Unavailable {
        detail: detail.into(),
    }
}
