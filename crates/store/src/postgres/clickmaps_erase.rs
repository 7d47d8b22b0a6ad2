//! Taking what was captured of erased events out of clickmaps, before they are made anew.

use domain::storage::Result;
use jiff::civil::Date;
use sqlx::PgConnection;

use super::errors::sql;
use super::statement::{query, query_as};
use super::values::day_number;
use crate::clickmap_rows::labelled_days;

/// Forgets how the elements of these days looked: whose click each text is of is not kept. Whoever makes the
/// days anew knows it again, of what is left. Of clickmaps in force and of those that are built beside them.
pub(super) async fn forget_texts(
    connection: &mut PgConnection,
    epoch: i64,
    days: &[Date],
) -> Result<()> {
    let (in_force, by_zone): (i64, bool) =
        query_as("SELECT clickmap, clickmap_time_zone IS NOT NULL FROM epochs WHERE number = $1")
            .bind(epoch)
            .fetch_one(&mut *connection)
            .await
            .map_err(sql)?;
    let days: Vec<i64> = days.iter().copied().map(day_number).collect();
    for (clickmap, days) in labelled_days(in_force, by_zone, days) {
        query(
            "UPDATE clickmap_labels SET text = NULL, href = NULL
             WHERE epoch = $1 AND clickmap = $2 AND day = ANY($3)
                AND (text IS NOT NULL OR href IS NOT NULL)",
        )
        .bind(epoch)
        .bind(clickmap)
        .bind(days)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    }
    Ok(())
}
