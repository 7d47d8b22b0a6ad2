//! Runs: begun with a plan, resumed while open, ended with what they did.

use domain::ConnectionId;
use domain::storage::{Lease, NewRun, OpenRun, Result, RunEnd, RunId, RunRecord};
use domain::sync::{RunTotals, Slice, SyncMode};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::errors::sql;
use super::growing::BATCH;
use super::statement::{query, query_scalar};
use super::values::{limit as rows, micros, signed, text, to_json};
use super::{PostgresStore, leases, slices};
use crate::failures::not_found;
use crate::run_rows::{RecordRow, RunRow, id_at, superseded};

/// Runs with the state of their slices: an ended run has its own, an open one that of `slices`.
const RECORDS: &str = "SELECT r.*,
        CASE WHEN s.planned > 0 THEN s.done ELSE r.slices_done END AS done_slices,
        CASE WHEN s.planned > 0 THEN s.planned ELSE r.slices_planned END AS planned_slices,
        CASE WHEN r.ended_at IS NOT NULL THEN r.progress
             WHEN s.planned = 0 THEN 1.0
             WHEN s.expected = 0 THEN s.done::float8 / s.planned
             ELSE s.read::float8 / s.expected::float8 END AS part
    FROM runs AS r CROSS JOIN LATERAL (
        SELECT count(*) AS planned, count(*) FILTER (WHERE done) AS done,
            sum(expected_rows) AS expected,
            sum(CASE WHEN done THEN expected_rows ELSE least(rows_read, expected_rows) END) AS read
        FROM slices WHERE run = r.number
    ) AS s";

/// The open runs of an epoch: one at most.
pub(super) const OPEN: &str = "SELECT id FROM runs WHERE epoch = $1 AND ended_at IS NULL";
/// The open run of a connection in a mode.
pub(super) const OPEN_OF_MODE: &str = "SELECT * FROM runs
     WHERE epoch = (SELECT number FROM epochs WHERE id = $1) AND mode = $2 AND ended_at IS NULL
     ORDER BY started_at DESC, number DESC LIMIT 1";

/// Removes at most `$3` refreshes that began before `$2`, and before the latest one that is complete.
pub(super) const EXPIRE: &str = "DELETE FROM runs WHERE number IN (
        SELECT number FROM runs
        WHERE epoch = $1 AND mode = 'refresh' AND ended_at IS NOT NULL AND started_at < $2
            AND (started_at, number) < (
                SELECT started_at, number FROM runs
                WHERE epoch = $1 AND mode = 'refresh' AND ended_at IS NOT NULL
                    AND failure_reason IS NULL
                ORDER BY started_at DESC, number DESC LIMIT 1)
        ORDER BY started_at, number LIMIT $3)";

impl PostgresStore {
    pub(super) async fn start_run(&self, lease: &Lease, run: &NewRun) -> Result<RunId> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let open: Vec<Uuid> = query_scalar(OPEN)
            .bind(epoch)
            .fetch_all(&mut *tx)
            .await
            .map_err(sql)?;
        let superseded = superseded();
        for id in open {
            close(&mut tx, epoch, RunId(id), &superseded, run.started_at).await?;
        }
        let id = id_at(run.started_at);
        let mode: &'static str = run.mode.into();
        let number: i64 = query_scalar(
            "INSERT INTO runs (id, epoch, mode, window_from, window_to, arrivals_from,
                arrivals_since, started_at, way)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING number",
        )
        .bind(id.0)
        .bind(epoch)
        .bind(mode)
        .bind(micros(run.window.from))
        .bind(micros(run.window.to))
        .bind(run.arrivals.map(|arrivals| micros(arrivals.from)))
        .bind(run.arrivals.map(|arrivals| micros(arrivals.since)))
        .bind(micros(run.started_at))
        .bind(run.way.as_ref().map(to_json).transpose()?)
        .fetch_one(&mut *tx)
        .await
        .map_err(sql)?;
        slices::plan(&mut tx, number, &run.slices).await?;
        tx.commit().await?;
        Ok(id)
    }

    pub(super) async fn find_open_run(
        &self,
        connection: ConnectionId,
        mode: SyncMode,
    ) -> Result<Option<OpenRun>> {
        let mut tx = self.read().await?;
        let mode: &'static str = mode.into();
        let Some(row) = query(OPEN_OF_MODE)
            .bind(connection.0)
            .bind(mode)
            .fetch_optional(&mut *tx)
            .await
            .map_err(sql)?
        else {
            tx.end().await?;
            return Ok(None);
        };
        let run = RunRow::from_row(&row).map_err(sql)?;
        let (pending, done) = slices::left(&mut tx, run.number).await?;
        tx.end().await?;
        run.open(pending, done).map(Some)
    }

    pub(super) async fn replace_slice(
        &self,
        lease: &Lease,
        run: RunId,
        number: i64,
        parts: &[Slice],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let whole = slices::find(&mut tx, epoch, run, number).await?;
        slices::split(&mut tx, &whole, parts).await?;
        tx.commit().await
    }

    pub(super) async fn add_run_totals(
        &self,
        lease: &Lease,
        run: RunId,
        more: &RunTotals,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let number: i64 = query_scalar(
            "SELECT number FROM runs WHERE id = $1 AND epoch = $2 AND ended_at IS NULL",
        )
        .bind(run.0)
        .bind(epoch)
        .fetch_optional(&mut *tx)
        .await
        .map_err(sql)?
        .ok_or_else(|| not_found(format!("an open run {}", run.0)))?;
        add_totals(&mut tx, number, more).await?;
        tx.commit().await
    }

    pub(super) async fn finish_run(
        &self,
        lease: &Lease,
        run: RunId,
        end: &RunEnd,
        now: Timestamp,
    ) -> Result<RunRecord> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let record = close(&mut tx, epoch, run, end, now).await?;
        if record.mode == SyncMode::Backfill && record.end == Some(RunEnd::Complete) {
            query("UPDATE epochs SET backfilled_at = $1 WHERE number = $2")
                .bind(record.ended_at.map(micros))
                .bind(epoch)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
        }
        tx.commit().await?;
        Ok(record)
    }

    pub(super) async fn delete_expired_runs(
        &self,
        lease: &Lease,
        before: Timestamp,
    ) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut tx = self.write().await?;
            let epoch = leases::hold(&mut tx, lease).await?;
            let expired = query(EXPIRE)
                .bind(epoch)
                .bind(micros(before))
                .bind(rows(BATCH))
                .execute(&mut *tx)
                .await
                .map_err(sql)?
                .rows_affected();
            tx.commit().await?;
            removed += expired;
            if expired < BATCH as u64 {
                return Ok(removed);
            }
        }
    }

    pub(super) async fn find_last_complete_run(
        &self,
        connection: ConnectionId,
    ) -> Result<Option<RunRecord>> {
        let query = query(AssertSqlSafe(format!(
            "{RECORDS} WHERE r.epoch = (SELECT number FROM epochs WHERE id = $1)
                AND r.ended_at IS NOT NULL AND r.failure_reason IS NULL
             ORDER BY r.started_at DESC, r.number DESC LIMIT 1"
        )))
        .bind(connection.0);
        self.fetch(query).await?.first().map(decode).transpose()
    }

    pub(super) async fn latest_runs(
        &self,
        connection: ConnectionId,
        mode: Option<SyncMode>,
        limit: usize,
    ) -> Result<Vec<RunRecord>> {
        let mut latest = query(AssertSqlSafe(latest_sql(mode.is_some())))
            .bind(connection.0)
            .bind(rows(limit));
        if let Some(mode) = mode {
            let mode: &'static str = mode.into();
            latest = latest.bind(mode);
        }
        self.fetch(latest).await?.iter().map(decode).collect()
    }
}

/// Lists `$2` runs of connection `$1`, the latest first, where wanted of mode `$3` alone.
pub(super) fn latest_sql(of_mode: bool) -> String {
    let only = if of_mode { "AND r.mode = $3" } else { "" };
    format!(
        "{RECORDS} WHERE r.epoch = (SELECT number FROM epochs WHERE id = $1) {only}
         ORDER BY r.started_at DESC, r.number DESC LIMIT $2"
    )
}

/// Ends a run that is open; one that has ended stays as it is.
async fn close(
    connection: &mut PgConnection,
    epoch: i64,
    run: RunId,
    end: &RunEnd,
    now: Timestamp,
) -> Result<RunRecord> {
    let record = find(connection, epoch, run).await?;
    if record.ended_at.is_some() {
        return Ok(record);
    }
    let (reason, message) = match end {
        RunEnd::Complete => (None, None),
        RunEnd::Failed { reason, message } => (Some(reason), Some(message)),
    };
    let (done, planned) = record.slices;
    let number: i64 = query_scalar(
        "UPDATE runs SET ended_at = $2, failure_reason = $3, failure_message = $4,
            slices_done = $5, slices_planned = $6, progress = $7
         WHERE id = $1 RETURNING number",
    )
    .bind(run.0)
    .bind(micros(now))
    .bind(reason.map(|reason| text(reason)))
    .bind(message.map(|message| text(message)))
    .bind(rows(done))
    .bind(rows(planned))
    .bind(record.progress)
    .fetch_one(&mut *connection)
    .await
    .map_err(sql)?;
    query("DELETE FROM slices WHERE run = $1")
        .bind(number)
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    find(connection, epoch, run).await
}

async fn find(connection: &mut PgConnection, epoch: i64, run: RunId) -> Result<RunRecord> {
    let row = query(AssertSqlSafe(format!(
        "{RECORDS} WHERE r.id = $1 AND r.epoch = $2"
    )))
    .bind(run.0)
    .bind(epoch)
    .fetch_optional(connection)
    .await
    .map_err(sql)?
    .ok_or_else(|| not_found(format!("run {}", run.0)))?;
    decode(&row)
}

/// Adds to the totals of the run of that number.
pub(super) async fn add_totals(
    connection: &mut PgConnection,
    run: i64,
    more: &RunTotals,
) -> Result<()> {
    query(
        "UPDATE runs SET events_read = events_read + $2, events_stored = events_stored + $3,
            events_updated = events_updated + $4, duplicates = duplicates + $5,
            late_events = late_events + $6, events_removed = events_removed + $7,
            requests = requests + $8, bytes_received = bytes_received + $9,
            bytes_read = bytes_read + $10
         WHERE number = $1",
    )
    .bind(run)
    .bind(signed(more.events_read))
    .bind(signed(more.events_stored))
    .bind(signed(more.events_updated))
    .bind(signed(more.duplicates))
    .bind(signed(more.late_events))
    .bind(signed(more.events_removed))
    .bind(signed(more.requests))
    .bind(signed(more.bytes_received))
    .bind(signed(more.bytes_read))
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

fn decode(row: &PgRow) -> Result<RunRecord> {
    RecordRow::from_row(row).map_err(sql)?.record()
}
