//! From what PostgreSQL and its driver say to what the product says.

use std::io::ErrorKind;

use domain::storage::StoreError;

use crate::failures::{corrupt, unavailable, unusable};

/// What went wrong, from a driver's error. By value, as `map_err` hands it over.
#[allow(clippy::needless_pass_by_value)]
pub(super) fn sql(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_) => corrupt(error),
        sqlx::Error::PoolTimedOut => unavailable(
            "no connection to PostgreSQL came free in time: the server is down, or every connection is busy",
        ),
        sqlx::Error::Io(io) => unavailable(lost(io)),
        sqlx::Error::Database(said) => match said.code() {
            Some(code) => of_code(&code, said.message()),
            None => unavailable(said.message()),
        },
        _ => unavailable(error.to_string()),
    }
}

/// What is said of a connection that broke. Its transaction is undone by the server.
fn lost(io: &std::io::Error) -> String {
    let how = match io.kind() {
        ErrorKind::UnexpectedEof => "the server or something on the way to it closed it".to_owned(),
        _ => io.to_string(),
    };
    format!(
        "the connection to PostgreSQL was lost ({how}): nothing is half-done, try again when the server answers"
    )
}

/// What went wrong when a transaction that writes was to begin.
pub(super) fn begin(error: sqlx::Error) -> StoreError {
    match code(&error).as_deref() {
        // feature_not_supported: a standby cannot begin one.
        Some("0A000") => read_only(),
        _ => sql(error),
    }
}

/// Whether the connection is gone: broken, or ended by the server or a pooler, which may still say so
/// (admin_shutdown, crash_shutdown, idle_session_timeout).
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
        || matches!(code(error).as_deref(), Some("57P01" | "57P02" | "57P05"))
}

/// The SQLSTATE of an error that came from the server.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). A message of
/// the server never holds a password.
pub(super) fn of_code(code: &str, said: &str) -> StoreError {
    match code {
        // disk_full
        "53100" => unavailable(
            "the disk of the PostgreSQL server is full: free some space there, and the run goes on where it stopped",
        ),
        // too_many_connections
        "53300" => unavailable(
            "the PostgreSQL server takes no more connections: raise its max_connections, or put a pooler before it",
        ),
        // out_of_memory, insufficient_resources, configuration_limit_exceeded
        "53000" | "53200" | "53400" => unavailable(format!(
            "the PostgreSQL server is short of resources: {said}"
        )),
        // admin_shutdown, crash_shutdown, cannot_connect_now
        "57P01" | "57P02" | "57P03" => unavailable(format!(
            "the PostgreSQL server is stopping or starting: {said}"
        )),
        // query_canceled
        "57014" => unavailable(
            "PostgreSQL took longer over a statement than it is given, or somebody cancelled it",
        ),
        // lock_not_available
        "55P03" => {
            unavailable("another process kept rows locked for longer than they are waited for")
        }
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => unavailable("two processes got in each other's way in PostgreSQL"),
        // idle_in_transaction_session_timeout
        "25P03" => {
            unavailable("this process held rows locked for too long without a word to PostgreSQL")
        }
        // read_only_sql_transaction
        "25006" => read_only(),
        // insufficient_privilege
        "42501" => unusable(format!(
            "the database's user lacks a right ({said}): grant it, or name the owner of the tables in the database URL"
        )),
        // undefined_table, undefined_column, undefined_object, invalid_schema_name
        "42P01" | "42703" | "42704" | "3F000" => unusable(format!(
            "the schema in the PostgreSQL database is not as this program left it ({said}): restart the program, which brings it up to date, or restore a backup"
        )),
        // program_limit_exceeded
        "54000" => unusable(format!("a text is too long for PostgreSQL: {said}")),
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => corrupt(format!(
            "PostgreSQL finds its files damaged ({said}): restore a backup"
        )),
        _ => unavailable(format!("PostgreSQL refused with {code}: {said}")),
    }
}

/// The server takes no writes.
fn read_only() -> StoreError {
    unusable(
        "the PostgreSQL server takes no writes, for it is a standby: name the primary in the database URL",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_must_mend_is_told_from_what_may_pass() {
        for (code, mended, word) in [
            ("53100", false, "disk"),
            ("53300", false, "max_connections"),
            ("57P01", false, "stopping"),
            ("57014", false, "longer"),
            ("55P03", false, "locked"),
            ("40P01", false, "each other"),
            ("25006", true, "no writes"),
            ("42501", true, "grant"),
            ("42P01", true, "not as this program left it"),
            ("99999", false, "99999"),
        ] {
            let error = of_code(code, "said");
            assert_eq!(
                matches!(error, StoreError::Unusable { .. }),
                mended,
                "{code}"
            );
            assert!(error.to_string().contains(word), "{code}: {error}");
        }
    }
}
