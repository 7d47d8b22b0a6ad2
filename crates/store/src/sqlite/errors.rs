//! From what SQLite says to what the product says.

use domain::storage::StoreError;

pub(super) use crate::failures::{corrupt, not_found, unusable};

/// SQLite's primary result codes that mean something to whoever runs the program
/// (<https://sqlite.org/rescode.html>).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const INPUT_OUTPUT: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANNOT_OPEN: i32 = 14;
    pub(super) const NOT_A_DATABASE: i32 = 26;
}

/// What went wrong, from a driver's error. By value, as `map_err` hands it over.
#[allow(clippy::needless_pass_by_value)]
pub(super) fn sql(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_) => StoreError::Corrupt {
            detail: error.to_string(),
        },
        sqlx::Error::PoolTimedOut => StoreError::Unavailable {
            detail: "every connection to the SQLite file is busy".to_owned(),
        },
        _ => of_code(primary_code(&error), error.to_string()),
    }
}

/// SQLite's primary result code, where the error came from SQLite.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether another connection kept the file locked for longer than was waited.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(code::BUSY)
}

/// Whether the file is none of SQLite's.
pub(super) fn is_not_a_database(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(code::NOT_A_DATABASE)
}

fn of_code(code: Option<i32>, said: String) -> StoreError {
    match code {
        Some(code::FULL) => StoreError::Unavailable {
            detail: "the disk that holds the SQLite file is full: free some space, and the run goes on where it stopped".to_owned(),
        },
        Some(code::BUSY) => StoreError::Unavailable {
            detail: "another process keeps the SQLite file locked".to_owned(),
        },
        Some(code::INPUT_OUTPUT) => StoreError::Unavailable {
            detail: format!("the disk that holds the SQLite file fails: {said}"),
        },
        Some(code::READ_ONLY) => StoreError::Unusable {
            detail: "the SQLite file cannot be written: give the program's user the right to write it and its folder, or name another file".to_owned(),
        },
        Some(code::CANNOT_OPEN) => StoreError::Unusable {
            detail: "the SQLite file cannot be opened: check that its folder exists and that the program's user may write there".to_owned(),
        },
        Some(code::NOT_A_DATABASE) => StoreError::Unusable {
            detail: "the file is not a SQLite database: name another file".to_owned(),
        },
        Some(code::CORRUPT) => StoreError::Corrupt {
            detail: "SQLite finds the file damaged: restore it from a backup, or remove it and let the backfill run again".to_owned(),
        },
        _ => StoreError::Unavailable { detail: said },
    }
}
