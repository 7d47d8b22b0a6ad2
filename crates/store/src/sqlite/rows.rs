//! Statements over many rows at once: each crossing to SQLite's thread costs as much as some
//! rows, so rows travel in batches whose sizes are few, for every size is a prepared statement.

use std::sync::Arc;

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type};

use domain::storage::Result;

use super::errors::{corrupt, sql};

/// The most parameters that SQLite takes (<https://sqlite.org/limits.html>).
const MAX_PARAMETERS: usize = 32_766;

/// Cuts `rows` into batches whose lengths are powers of two of at most `largest`.
pub(super) fn batches<T>(mut rows: &[T], largest: usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        if rows.is_empty() {
            return None;
        }
        let fits = 1 << rows.len().ilog2();
        let (batch, rest) = rows.split_at(fits.min(largest));
        rows = rest;
        Some(batch)
    })
}

/// The text of a statement over `rows` rows of `columns` parameters: `before`, then that many
/// `(?, …)`, then `after`. All parts are SQL of ours.
pub(super) fn values_sql(
    before: &str,
    columns: usize,
    rows: usize,
    after: &str,
) -> AssertSqlSafe<Arc<str>> {
    debug_assert!(columns * rows <= MAX_PARAMETERS);
    let row = format!("({})", vec!["?"; columns].join(","));
    let text = format!("{before} {} {after}", vec![row; rows].join(","));
    AssertSqlSafe(text.into())
}

/// A statement that writes many rows, its parts as [`values_sql`] takes them.
#[derive(Debug, Clone, Copy)]
pub(super) struct WriteRows<'s> {
    /// What comes before the rows.
    pub(super) before: &'s str,
    /// The parameters of a row.
    pub(super) columns: usize,
    /// What comes after them.
    pub(super) after: &'s str,
    /// The most rows written at once.
    pub(super) most: usize,
}

impl WriteRows<'_> {
    /// Writes `rows`, each as `add` puts it into the parameters.
    pub(super) async fn run<R>(
        self,
        connection: &mut SqliteConnection,
        rows: &[R],
        mut add: impl FnMut(&mut Parameters, &R) -> Result<()>,
    ) -> Result<()> {
        for batch in batches(rows, self.most) {
            let mut parameters = Parameters::with_capacity(self.columns * batch.len());
            for row in batch {
                add(&mut parameters, row)?;
            }
            let text = values_sql(self.before, self.columns, batch.len(), self.after);
            sqlx::query_with(text, parameters.into_arguments())
                .execute(&mut *connection)
                .await
                .map_err(sql)?;
        }
        Ok(())
    }
}

/// The text of a statement with a list of `items` parameters between `before` and `after`.
pub(super) fn list_sql(before: &str, items: usize, after: &str) -> AssertSqlSafe<Arc<str>> {
    debug_assert!(items < MAX_PARAMETERS);
    AssertSqlSafe(format!("{before} ({}) {after}", vec!["?"; items].join(",")).into())
}

/// A statement's parameters, in their order.
pub(super) struct Parameters(SqliteArguments);

impl Parameters {
    /// Room for that many.
    pub(super) fn with_capacity(parameters: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(parameters, 0);
        Self(arguments)
    }

    /// Adds the next one.
    pub(super) fn add<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> Result<()> {
        self.0.add(value).map_err(corrupt)
    }

    /// All of them.
    pub(super) fn into_arguments(self) -> SqliteArguments {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_row_once_in_order_and_come_in_few_sizes() {
        for length in [0, 1, 2, 3, 63, 64, 65, 1000, 40_000] {
            let rows: Vec<usize> = (0..length).collect();
            let cut: Vec<&[usize]> = batches(&rows, 64).collect();
            assert_eq!(cut.concat(), rows);
            assert!(
                cut.iter()
                    .all(|batch| batch.len().is_power_of_two() && batch.len() <= 64)
            );
        }
    }

    #[test]
    fn the_text_has_one_group_a_row_and_one_parameter_a_column() {
        assert_eq!(
            &*values_sql("INSERT INTO t VALUES", 2, 3, "RETURNING x").0,
            "INSERT INTO t VALUES (?,?),(?,?),(?,?) RETURNING x"
        );
        assert_eq!(&*list_sql("x IN", 2, "LIMIT 1").0, "x IN (?,?) LIMIT 1");
    }
}
