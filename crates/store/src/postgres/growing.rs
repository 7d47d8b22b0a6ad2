//! Removing rows of tables that grow, a batch at a time.

use sqlx::AssertSqlSafe;

use crate::growing_tables::Growing;

/// Rows of one table removed in one transaction: short transactions leave room for others.
pub(super) const BATCH: usize = 20_000;

/// Removes at most `$2` rows of epoch `$1` of a table, of those that `which` leaves.
pub(super) fn remove_sql(table: Growing, which: &str) -> AssertSqlSafe<String> {
    let name = table.name;
    AssertSqlSafe(format!(
        "DELETE FROM {name} WHERE epoch = $1 AND ctid = ANY (ARRAY(
            SELECT ctid FROM {name} WHERE epoch = $1 {which} LIMIT $2))"
    ))
}
