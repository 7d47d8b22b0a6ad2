//! Daily counts: moved by what a write added and took away, and read.

use domain::merge::Deltas;
use domain::stage::PostHogStage;
use domain::storage::Result;
use sqlx::SqliteConnection;

use super::epochs::EpochState;
use super::errors::sql;
use super::rows::WriteRows;
use super::values::day_number;

const ROWS: usize = 256;

/// One row of the daily counts, to be added.
struct Move<'a> {
    day: i64,
    stage: Option<PostHogStage>,
    name: &'a str,
    delta: i64,
}

/// Moves the counts in force by `deltas`; a count that reaches 0 is gone.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    state: &EpochState,
    deltas: &Deltas,
) -> Result<()> {
    let events: Vec<Move<'_>> = deltas
        .events
        .iter()
        .map(|delta| Move {
            day: day_number(delta.day),
            stage: None,
            name: delta.name.as_str(),
            delta: delta.delta,
        })
        .collect();
    let stages: Vec<Move<'_>> = deltas
        .stages
        .iter()
        .map(|delta| Move {
            day: day_number(delta.day),
            stage: Some(delta.stage),
            name: delta.name.as_str(),
            delta: delta.delta,
        })
        .collect();
    add_moves(connection, state, &events).await?;
    add_moves(connection, state, &stages).await
}

/// Moves of one of the two tables; all have a stage or none has.
async fn add_moves(
    connection: &mut SqliteConnection,
    state: &EpochState,
    moves: &[Move<'_>],
) -> Result<()> {
    let Some(first) = moves.first() else {
        return Ok(());
    };
    let (insert, columns, on_conflict) = if first.stage.is_some() {
        (
            "INSERT INTO daily_stage_counts (epoch, rollup, day, stage, event, events) VALUES",
            6,
            "ON CONFLICT (epoch, rollup, day, stage, event)
             DO UPDATE SET events = events + excluded.events",
        )
    } else {
        (
            "INSERT INTO daily_event_counts (epoch, rollup, day, event, events) VALUES",
            5,
            "ON CONFLICT (epoch, rollup, day, event)
             DO UPDATE SET events = events + excluded.events",
        )
    };
    let write = WriteRows {
        before: insert,
        columns,
        after: on_conflict,
        most: ROWS,
    };
    write
        .run(connection, moves, |to, moved| {
            to.add(state.number)?;
            to.add(state.rollup)?;
            to.add(moved.day)?;
            if let Some(stage) = moved.stage {
                to.add(stage.number())?;
            }
            to.add(moved.name)?;
            to.add(moved.delta)
        })
        .await?;
    for moved in moves.iter().filter(|moved| moved.delta < 0) {
        remove_if_empty(connection, state, moved).await?;
    }
    Ok(())
}

async fn remove_if_empty(
    connection: &mut SqliteConnection,
    state: &EpochState,
    moved: &Move<'_>,
) -> Result<()> {
    let query = match moved.stage {
        None => sqlx::query(
            "DELETE FROM daily_event_counts
             WHERE epoch = ? AND rollup = ? AND day = ? AND event = ? AND events = 0",
        )
        .bind(state.number)
        .bind(state.rollup)
        .bind(moved.day),
        Some(stage) => sqlx::query(
            "DELETE FROM daily_stage_counts
             WHERE epoch = ? AND rollup = ? AND day = ? AND stage = ? AND event = ? AND events = 0",
        )
        .bind(state.number)
        .bind(state.rollup)
        .bind(moved.day)
        .bind(stage.number()),
    };
    query
        .bind(moved.name)
        .execute(connection)
        .await
        .map_err(sql)?;
    Ok(())
}
