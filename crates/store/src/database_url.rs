//! The databases that can be named, and what is said of a name that is none of them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use domain::storage::Result as StoreResult;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::failures::unusable;

/// A database that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(PostgresUrl),
}

/// A PostgreSQL URL that can be read. It may hold a password, so it shows itself nowhere.
#[derive(Clone)]
pub struct PostgresUrl(SecretString);

/// Why a database URL was refused. Never repeats the URL: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// A PostgreSQL URL that cannot be read.
    #[error(
        "the database URL cannot be read ({reason}): write postgres://user:password@host:5432/database, with special characters of the password percent-encoded"
    )]
    Malformed {
        /// What of it cannot be read.
        reason: String,
    },
    /// A PostgreSQL URL with a parameter that nothing here understands.
    #[error(
        "the database URL has a parameter that is not known: there are {}", POSTGRES_PARAMETERS.join(", ")
    )]
    UnknownParameter,
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
    #[error(
        "the database URL has no known scheme: write sqlite:///path/to/file.db or postgres://user:password@host:5432/database"
    )]
    UnknownScheme,
}

/// What may stand behind the `?` of a PostgreSQL URL, as in libpq
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>).
const POSTGRES_PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Reads `sqlite:///absolute/path` or `sqlite://relative/path`, where the path is taken as it
    /// stands, without percent-decoding, or `postgres://user:password@host:5432/database` as
    /// libpq does. What a PostgreSQL URL leaves out is taken from libpq's environment variables.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = url.split_once(':').ok_or(DatabaseUrlError::UnknownScheme)?;
        match scheme {
            "postgres" | "postgresql" => PostgresUrl::parse(url).map(Self::Postgres),
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

impl PostgresUrl {
    fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        // Neither parser repeats the URL in its error, but the driver's may repeat a value.
        let url = Url::parse(text).map_err(|error| DatabaseUrlError::Malformed {
            reason: error.to_string(),
        })?;
        let known = |name: &str| POSTGRES_PARAMETERS.contains(&name);
        if !url.query_pairs().all(|(name, _)| known(&name)) {
            return Err(DatabaseUrlError::UnknownParameter);
        }
        if PgConnectOptions::from_str(text).is_err() {
            return Err(DatabaseUrlError::Malformed {
                reason: "one of its parts has a value that cannot be".to_owned(),
            });
        }
        Ok(Self(text.into()))
    }

    /// The driver's settings, by this URL and libpq's environment variables.
    pub(crate) fn settings(&self) -> StoreResult<PgConnectOptions> {
        PgConnectOptions::from_str(self.0.expose_secret())
            .map_err(|_| unusable("the database URL cannot be read: write it anew"))
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for PostgresUrl {}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(…)")
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
    fn a_postgres_url_is_read_as_libpq_does_and_never_shown() {
        for url in [
            "postgres://u:secret@h/d",
            "postgresql://u:secret@h:6432/d?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgres:///d?host=/run/postgresql&user=u&password=secret",
        ] {
            let Ok(DatabaseUrl::Postgres(read)) = url.parse() else {
                panic!("{url} was refused");
            };
            assert!(!format!("{read:?}").contains("secret"));
            let settings = read.settings().unwrap();
            assert_eq!(settings.get_username(), "u");
            assert_eq!(settings.get_database(), Some("d"));
        }
    }

    #[test]
    fn what_cannot_be_opened_is_refused_without_repeating_a_password() {
        let malformed = |reason: &str| DatabaseUrlError::Malformed {
            reason: reason.to_owned(),
        };
        for (url, expected) in [
            ("postgres://u:secret/@h/d", malformed("invalid port number")),
            (
                "postgres://u:secret@h/d?sslmode=secret",
                malformed("one of its parts has a value that cannot be"),
            ),
            (
                "postgres://u:1?secret@h/d",
                DatabaseUrlError::UnknownParameter,
            ),
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
