//! The databases that can be named, and what is said of a name that is none of them.

use std::path::PathBuf;
use std::str::FromStr;

/// A database that this build can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
}

/// Why a database URL was refused. Never repeats the URL: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// A PostgreSQL URL.
    #[error(
        "the database URL names PostgreSQL, but this build has SQLite only (PostgreSQL comes next): write sqlite:///path/to/file.db"
    )]
    Postgres,
    /// A SQLite database in memory.
    #[error(
        "the database URL names a SQLite database in memory, which would be lost and cannot be shared: name a file, as in sqlite:///path/to/file.db"
    )]
    InMemory,
    /// `sqlite://` and nothing behind it.
    #[error("the database URL names no file: write sqlite:///path/to/file.db")]
    NoPath,
    /// Something behind `?`.
    #[error(
        "the database URL has parameters, and SQLite takes none here: remove the ? and everything after it"
    )]
    Parameters,
    /// Any other text.
    #[error("the database URL has no known scheme: write sqlite:///path/to/file.db")]
    UnknownScheme,
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Reads `sqlite:///absolute/path` or `sqlite://relative/path`. The path is taken as it
    /// stands, without percent-decoding.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = url.split_once(':').ok_or(DatabaseUrlError::UnknownScheme)?;
        match scheme {
            "postgres" | "postgresql" => Err(DatabaseUrlError::Postgres),
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                match path {
                    "" | "/" => Err(DatabaseUrlError::NoPath),
                    ":memory:" => Err(DatabaseUrlError::InMemory),
                    _ if path.contains('?') => Err(DatabaseUrlError::Parameters),
                    _ => Ok(Self::Sqlite(PathBuf::from(path))),
                }
            }
            _ => Err(DatabaseUrlError::UnknownScheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_with_three_slashes_and_relative_with_two() {
        assert_eq!(
            "sqlite:///var/lib/store.db".parse(),
            Ok(DatabaseUrl::Sqlite("/var/lib/store.db".into()))
        );
        assert_eq!(
            "sqlite://store.db".parse(),
            Ok(DatabaseUrl::Sqlite("store.db".into()))
        );
    }

    #[test]
    fn what_cannot_be_opened_is_refused_without_repeating_a_password() {
        for (url, expected) in [
            ("postgres://u:secret@h/d", DatabaseUrlError::Postgres),
            ("postgresql://u:secret@h/d", DatabaseUrlError::Postgres),
            ("sqlite::memory:", DatabaseUrlError::InMemory),
            ("sqlite://", DatabaseUrlError::NoPath),
            ("sqlite:///a.db?mode=ro", DatabaseUrlError::Parameters),
            ("mysql://u:secret@h/d", DatabaseUrlError::UnknownScheme),
            ("store.db", DatabaseUrlError::UnknownScheme),
        ] {
            let error = url.parse::<DatabaseUrl>().unwrap_err();
            assert_eq!(error, expected, "{url}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
