//! Daily counts: moved by what a write added and took away.

use domain::merge::Deltas;
use domain::stage::PostHogStage;
use domain::storage::Result;
use sqlx::PgConnection;

use super::errors::sql;
use super::statement::query;
use super::values::day_number;
use crate::epoch_state::EpochState;

/// Moves the counts in force by `deltas`; a count that reaches 0 is gone.
pub(super) async fn add(
    connection: &mut PgConnection,
    state: &EpochState,
    deltas: &Deltas,
) -> Result<()> {
    let mut moves = Moves::default();
    for delta in &deltas.events {
        moves.push(
            day_number(delta.day),
            None,
            delta.name.as_str(),
            delta.delta,
        );
    }
    add_to_events(connection, state.number, state.rollup, &moves).await?;
    let mut moves = Moves::default();
    for delta in &deltas.stages {
        let day = day_number(delta.day);
        moves.push(day, Some(delta.stage), delta.name.as_str(), delta.delta);
    }
    add_to_stages(connection, state.number, state.rollup, &moves).await
}

/// Moves of one of the two tables, column by column: each at most once.
#[derive(Default)]
pub(super) struct Moves<'a> {
    days: Vec<i64>,
    stages: Vec<Option<i16>>,
    names: Vec<&'a str>,
    deltas: Vec<i64>,
}

impl<'a> Moves<'a> {
    /// Adds one.
    pub(super) fn push(
        &mut self,
        day: i64,
        stage: Option<PostHogStage>,
        name: &'a str,
        delta: i64,
    ) {
        self.days.push(day);
        self.stages.push(stage.map(PostHogStage::number));
        self.names.push(name);
        self.deltas.push(delta);
    }

    fn takes_away(&self) -> bool {
        self.deltas.iter().any(|delta| *delta < 0)
    }
}

/// Moves counts of a rollup by day and name.
pub(super) async fn add_to_events(
    connection: &mut PgConnection,
    epoch: i64,
    rollup: i64,
    moves: &Moves<'_>,
) -> Result<()> {
    if moves.days.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO daily_event_counts AS c (epoch, rollup, day, event, events)
         SELECT $1, $2, m.day, m.event, m.delta
         FROM unnest($3::bigint[], $4::text[], $5::bigint[]) AS m (day, event, delta)
         ON CONFLICT (epoch, rollup, day, left(event, 500), hashtextextended(event, 0))
         DO UPDATE SET events = c.events + excluded.events",
    )
    .bind(epoch)
    .bind(rollup)
    .bind(&moves.days)
    .bind(&moves.names)
    .bind(&moves.deltas)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    if moves.takes_away() {
        query(
            "DELETE FROM daily_event_counts AS c
             USING unnest($3::bigint[], $4::text[]) AS m (day, event)
             WHERE c.epoch = $1 AND c.rollup = $2 AND c.day = m.day
                AND left(c.event, 500) = left(m.event, 500) AND c.event = m.event
                AND c.events = 0",
        )
        .bind(epoch)
        .bind(rollup)
        .bind(&moves.days)
        .bind(&moves.names)
        .execute(connection)
        .await
        .map_err(sql)?;
    }
    Ok(())
}

/// Moves counts of a rollup by day, stage and name; every move has a stage.
pub(super) async fn add_to_stages(
    connection: &mut PgConnection,
    epoch: i64,
    rollup: i64,
    moves: &Moves<'_>,
) -> Result<()> {
    if moves.days.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO daily_stage_counts AS c (epoch, rollup, day, stage, event, events)
         SELECT $1, $2, m.day, m.stage, m.event, m.delta
         FROM unnest($3::bigint[], $4::smallint[], $5::text[], $6::bigint[])
            AS m (day, stage, event, delta)
         ON CONFLICT (epoch, rollup, day, stage, left(event, 500), hashtextextended(event, 0))
         DO UPDATE SET events = c.events + excluded.events",
    )
    .bind(epoch)
    .bind(rollup)
    .bind(&moves.days)
    .bind(&moves.stages)
    .bind(&moves.names)
    .bind(&moves.deltas)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    if moves.takes_away() {
        query(
            "DELETE FROM daily_stage_counts AS c
             USING unnest($3::bigint[], $4::smallint[], $5::text[]) AS m (day, stage, event)
             WHERE c.epoch = $1 AND c.rollup = $2 AND c.day = m.day AND c.stage = m.stage
                AND left(c.event, 500) = left(m.event, 500) AND c.event = m.event
                AND c.events = 0",
        )
        .bind(epoch)
        .bind(rollup)
        .bind(&moves.days)
        .bind(&moves.stages)
        .bind(&moves.names)
        .execute(connection)
        .await
        .map_err(sql)?;
    }
    Ok(())
}
