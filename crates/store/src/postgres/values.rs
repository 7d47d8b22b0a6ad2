//! Reading columns of PostgreSQL's rows, and texts as PostgreSQL takes them.

use std::borrow::Cow;

use domain::event::without_nul;
use domain::storage::Result;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};

use super::errors::sql;
pub(super) use crate::values::{
    DAY, day, day_number, from_json, instant, instant_or_none, limit, micros, signed, to_json,
    unsigned,
};

/// One column of a row.
pub(super) fn get<'r, T>(row: &'r PgRow, column: &'static str) -> Result<T>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(sql)
}

/// A text from outside, as events hold it: PostgreSQL refuses NUL.
pub(super) fn text(given: &str) -> Cow<'_, str> {
    without_nul(given)
}

/// Many texts from outside.
pub(super) fn texts<'a>(given: impl IntoIterator<Item = &'a str>) -> Vec<Cow<'a, str>> {
    given.into_iter().map(without_nul).collect()
}
