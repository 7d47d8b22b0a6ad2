//! Reading columns of SQLite's rows; how values are written is the same in every store.

use domain::storage::Result;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::errors::sql;
pub(super) use crate::values::{
    DAY, day, day_number, from_json, instant, instant_or_none, limit, micros, signed, to_json,
    unsigned,
};

/// One column of a row.
pub(super) fn get<'r, T>(row: &'r SqliteRow, column: &'static str) -> Result<T>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(column).map_err(sql)
}
