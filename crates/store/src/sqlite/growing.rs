//! Removing rows of tables that grow, a batch at a time.

use sqlx::AssertSqlSafe;

use crate::growing_tables::Growing;

/// Rows of one table removed in one transaction: others wait that long for the file.
pub(super) const BATCH: usize = 20_000;

/// Removes at most `?2` rows of epoch `?1` of a table, of those that `which` leaves.
pub(super) fn remove_sql(table: Growing, which: &str) -> AssertSqlSafe<String> {
    let Growing { name, key } = table;
    // Where rows have addresses, an index of the epoch would be preferred to them.
    let own = if key == "rowid" { "" } else { "epoch = ?1 AND" };
    AssertSqlSafe(format!(
        "DELETE FROM {name} WHERE {own} ({key}) IN (
            SELECT {key} FROM {name} WHERE epoch = ?1 {which} LIMIT ?2)"
    ))
}
