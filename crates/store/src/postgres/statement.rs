//! Statements as this store sends them: unnamed. A named one stays in its session, where the next
//! transaction behind a pooler does not find it, or finds another's of the same name.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{FromRow, Postgres, QueryBuilder, SqlSafeStr};

/// A statement.
pub(super) fn query<'q>(text: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(text).persistent(false)
}

/// A statement whose rows have one column.
pub(super) fn query_scalar<'q, O>(
    text: impl SqlSafeStr,
) -> QueryScalar<'q, Postgres, O, PgArguments>
where
    (O,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(text).persistent(false)
}

/// A statement whose rows are tuples.
pub(super) fn query_as<'q, O>(text: impl SqlSafeStr) -> QueryAs<'q, Postgres, O, PgArguments>
where
    O: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(text).persistent(false)
}

/// A statement that was put together.
pub(super) fn built(query: &mut QueryBuilder<Postgres>) -> Query<'_, Postgres, PgArguments> {
    query.build().persistent(false)
}
