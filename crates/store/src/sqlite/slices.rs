//! Slices of an open run: its plan, the place reached, and what is left.

use domain::storage::{Page, PageOutcome, PendingSlice, Result, RunId, SliceAdvance};
use domain::sync::{Slice, SliceCursor};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::errors::{not_found, sql};
use super::rows::WriteRows;
use super::runs;
use super::values::{from_json, get, instant, micros, signed, to_json};
use crate::run_rows::{moves, totals_of};

const ROWS: usize = 256;

/// A slice of an open run, and how far it is stored.
pub(super) struct Place {
    /// The run's local number.
    run: i64,
    slice: i64,
    /// Where it stands in the order of the run.
    place: String,
    cursor: Option<SliceCursor>,
    done: bool,
}

/// Finds a slice of a run of that epoch that has not ended.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    epoch: i64,
    run: RunId,
    slice: i64,
) -> Result<Place> {
    let row = sqlx::query(
        "SELECT r.number AS run_number, s.place, s.cursor_timestamp, s.cursor_uuid, s.done
         FROM runs AS r JOIN slices AS s ON s.run = r.number
         WHERE r.id = ? AND r.epoch = ? AND r.ended_at IS NULL AND s.number = ?",
    )
    .bind(run.0)
    .bind(epoch)
    .bind(slice)
    .fetch_optional(connection)
    .await
    .map_err(sql)?
    .ok_or_else(|| not_found(format!("slice {slice} of an open run {}", run.0)))?;
    Ok(Place {
        run: get(&row, "run_number")?,
        slice,
        place: get(&row, "place")?,
        cursor: cursor(&row)?,
        done: get(&row, "done")?,
    })
}

/// Moves a slice to where a page left it and adds what the page did to the run's totals. A page
/// that changed nothing of a slice already there is not counted again.
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    from: &Place,
    page: &Page,
    outcome: &PageOutcome,
) -> Result<()> {
    let moves = moves(from.done, from.cursor, page.advance);
    if !moves && outcome.stored == 0 && outcome.updated == 0 {
        return Ok(());
    }
    if moves {
        let (timestamp, uuid) = match page.advance {
            SliceAdvance::To(cursor) => (Some(micros(cursor.timestamp)), Some(cursor.uuid)),
            SliceAdvance::Done => (None, None),
        };
        sqlx::query(
            "UPDATE slices SET done = ?3, rows_read = rows_read + ?4,
                cursor_timestamp = coalesce(?5, cursor_timestamp),
                cursor_uuid = coalesce(?6, cursor_uuid)
             WHERE run = ?1 AND number = ?2",
        )
        .bind(from.run)
        .bind(from.slice)
        .bind(matches!(page.advance, SliceAdvance::Done))
        .bind(outcome.rows().cast_signed())
        .bind(timestamp)
        .bind(uuid)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    }
    runs::add_totals(connection, from.run, &totals_of(page, outcome)).await
}

/// Writes the plan of a new run.
pub(super) async fn plan(
    connection: &mut SqliteConnection,
    run: i64,
    slices: &[Slice],
) -> Result<()> {
    let rows: Vec<(i64, String, &Slice)> = (0..)
        .zip(slices)
        .map(|(number, slice)| (number, format!("{number:08}"), slice))
        .collect();
    insert(connection, run, &rows).await
}

/// Puts `parts` into the place of a slice that is not done.
pub(super) async fn split(
    connection: &mut SqliteConnection,
    whole: &Place,
    parts: &[Slice],
) -> Result<()> {
    if whole.done {
        return Err(not_found(format!("slice {} that is not done", whole.slice)));
    }
    let next: i64 = sqlx::query_scalar("SELECT max(number) + 1 FROM slices WHERE run = ?")
        .bind(whole.run)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    let rows: Vec<(i64, String, &Slice)> = (0..)
        .zip(parts)
        .map(|(index, slice)| (next + index, format!("{}.{index:06}", whole.place), slice))
        .collect();
    insert(connection, whole.run, &rows).await?;
    sqlx::query("DELETE FROM slices WHERE run = ? AND number = ?")
        .bind(whole.run)
        .bind(whole.slice)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    run: i64,
    rows: &[(i64, String, &Slice)],
) -> Result<()> {
    let write = WriteRows {
        before: "INSERT INTO slices (run, number, place, spec, expected_rows) VALUES",
        columns: 5,
        after: "",
        most: ROWS,
    };
    write
        .run(connection, rows, |to, (number, place, slice)| {
            to.add(run)?;
            to.add(*number)?;
            to.add(place.as_str())?;
            to.add(to_json(slice)?)?;
            to.add(signed(slice.expected_rows))
        })
        .await?;
    Ok(())
}

/// What is left of a run, in the order in which it is read, and how many slices are done.
pub(super) async fn left(
    connection: &mut SqliteConnection,
    run: i64,
) -> Result<(Vec<PendingSlice>, usize)> {
    let done: i64 = sqlx::query_scalar("SELECT count(*) FROM slices WHERE run = ? AND done")
        .bind(run)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    let pending = sqlx::query(
        "SELECT number, spec, cursor_timestamp, cursor_uuid FROM slices
         WHERE run = ? AND NOT done ORDER BY place",
    )
    .bind(run)
    .fetch_all(connection)
    .await
    .map_err(sql)?
    .iter()
    .map(|row| {
        Ok(PendingSlice {
            number: get(row, "number")?,
            slice: from_json(get(row, "spec")?)?,
            cursor: cursor(row)?,
        })
    })
    .collect::<Result<_>>()?;
    Ok((pending, usize::try_from(done).unwrap_or(0)))
}

fn cursor(row: &SqliteRow) -> Result<Option<SliceCursor>> {
    let timestamp: Option<i64> = row.try_get("cursor_timestamp").map_err(sql)?;
    let uuid = get(row, "cursor_uuid")?;
    Ok(match (timestamp, uuid) {
        (Some(timestamp), Some(uuid)) => Some(SliceCursor {
            timestamp: instant(timestamp)?,
            uuid,
        }),
        _ => None,
    })
}
