//! A change of mapping: every stored event assigned anew, batch by batch, without pulling.

use std::collections::BTreeSet;

use domain::merge::Deltas;
use domain::stage::PostHogStage;
use domain::storage::{Lease, Result};
use domain::{EventName, Mapping};
use jiff::Timestamp;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use super::epochs::EpochState;
use super::errors::sql;
use super::rows::WriteRows;
use super::values::{from_json, get, instant, limit, to_json};
use super::{SqliteStore, counts, event_columns, leases};

/// Events looked at in one transaction: others wait that long for the file.
const BATCH: usize = 20_000;
/// Events moved with one statement.
const ROWS: usize = 512;

/// The last event that follows the mapping on its way.
#[derive(Debug, Clone)]
struct Position {
    event: String,
    timestamp: i64,
    uuid: Uuid,
}

/// An event whose stage changes.
struct Moved {
    rowid: i64,
    event: EventName,
    timestamp: Timestamp,
    before: Option<PostHogStage>,
    after: Option<PostHogStage>,
}

impl SqliteStore {
    pub(super) async fn remap_events(&self, lease: &Lease, mapping: &Mapping) -> Result<u64> {
        let Some((names, mut position)) = self.begin_remap(lease, mapping).await? else {
            return Ok(0);
        };
        let mut moved = 0;
        for name in names {
            loop {
                let after = position.take().filter(|position| position.event == name);
                let (count, reached) = self.remap_batch(lease, &name, after).await?;
                moved += count;
                position = reached;
                if position.is_none() {
                    break;
                }
            }
        }
        self.finish_remap(lease).await?;
        tracing::info!(moved, "assigned the stored events by a new mapping");
        Ok(moved)
    }

    /// Notes the mapping as on its way. Returns the names whose events may move, and how far an
    /// earlier call came; `None` when the mapping is in force.
    async fn begin_remap(
        &self,
        lease: &Lease,
        mapping: &Mapping,
    ) -> Result<Option<(Vec<String>, Option<Position>)>> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let row = sqlx::query("SELECT * FROM epochs WHERE number = ?")
            .bind(epoch)
            .fetch_one(&mut *tx)
            .await
            .map_err(sql)?;
        let parse = |column| {
            get::<Option<&str>>(&row, column)?
                .map(from_json::<Mapping>)
                .transpose()
        };
        let (in_force, pending) = (parse("mapping")?, parse("pending_mapping")?);
        if pending.is_none() && in_force.as_ref() == Some(mapping) {
            return Ok(None);
        }
        let mut names = staged_names(&mut tx, epoch).await?;
        names.extend(mapping.names().map(|name| name.as_str().to_owned()));
        let mut reached = None;
        if pending.as_ref() == Some(mapping) {
            if let Some(event) = get::<Option<String>>(&row, "pending_event")? {
                names = names.split_off(&event);
                reached = Some(Position {
                    event,
                    timestamp: get(&row, "pending_timestamp")?,
                    uuid: get(&row, "pending_uuid")?,
                });
            }
        } else {
            sqlx::query(
                "UPDATE epochs SET pending_mapping = ?, pending_event = NULL,
                    pending_timestamp = NULL, pending_uuid = NULL
                 WHERE number = ?",
            )
            .bind(to_json(mapping)?)
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        tx.commit().await.map_err(sql)?;
        Ok(Some((names.into_iter().collect(), reached)))
    }

    /// Assigns the next events of one name. Returns how many moved and the last one looked at,
    /// which is absent once there are no more.
    async fn remap_batch(
        &self,
        lease: &Lease,
        name: &str,
        after: Option<Position>,
    ) -> Result<(u64, Option<Position>)> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let mut state = EpochState::load(&mut tx, epoch).await?;
        let (moved, reached) = look_at(&mut tx, &state, name, after).await?;
        if let Some(reached) = &reached {
            move_events(&mut tx, &mut state, &moved).await?;
            sqlx::query(
                "UPDATE epochs SET pending_event = ?, pending_timestamp = ?, pending_uuid = ?
                 WHERE number = ?",
            )
            .bind(&reached.event)
            .bind(reached.timestamp)
            .bind(reached.uuid)
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        tx.commit().await.map_err(sql)?;
        Ok((moved.len() as u64, reached))
    }

    async fn finish_remap(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        sqlx::query(
            "UPDATE epochs SET mapping = pending_mapping, pending_mapping = NULL,
                pending_event = NULL, pending_timestamp = NULL, pending_uuid = NULL,
                mapping_revision = mapping_revision + 1
             WHERE number = ?",
        )
        .bind(epoch)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)
    }
}

/// The names of all events that have a stage now, by whatever mapping they got it.
async fn staged_names(tx: &mut SqliteConnection, epoch: i64) -> Result<BTreeSet<String>> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT event FROM daily_stage_counts
         WHERE epoch = ?1 AND rollup = (SELECT rollup FROM epochs WHERE number = ?1)",
    )
    .bind(epoch)
    .fetch_all(tx)
    .await
    .map_err(sql)?;
    Ok(names.into_iter().collect())
}

async fn look_at(
    tx: &mut Transaction<'static, Sqlite>,
    state: &EpochState,
    name: &str,
    after: Option<Position>,
) -> Result<(Vec<Moved>, Option<Position>)> {
    let (timestamp, uuid) = after.map_or((i64::MIN, Uuid::nil()), |position| {
        (position.timestamp, position.uuid)
    });
    let rows = sqlx::query(
        "SELECT rowid, timestamp, uuid, path, stage FROM events INDEXED BY events_by_name
         WHERE epoch = ? AND event = ? AND (timestamp, uuid) > (?, ?)
         ORDER BY timestamp, uuid LIMIT ?",
    )
    .bind(state.number)
    .bind(name)
    .bind(timestamp)
    .bind(uuid)
    .bind(limit(BATCH))
    .fetch_all(&mut **tx)
    .await
    .map_err(sql)?;
    let mut moved = Vec::new();
    for row in &rows {
        let before = event_columns::stage(get(row, "stage")?)?;
        let after = state.mapping.stage_of(name, get(row, "path")?);
        if before != after {
            moved.push(Moved {
                rowid: row.try_get(0).map_err(sql)?,
                event: EventName::from(name),
                timestamp: instant(get(row, "timestamp")?)?,
                before,
                after,
            });
        }
    }
    let reached = rows
        .last()
        .map(|row| {
            Ok(Position {
                event: name.to_owned(),
                timestamp: get(row, "timestamp")?,
                uuid: get(row, "uuid")?,
            })
        })
        .transpose()?;
    Ok((moved, reached))
}

async fn move_events(
    connection: &mut SqliteConnection,
    state: &mut EpochState,
    moved: &[Moved],
) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let write = WriteRows {
        before: "WITH moved (id, stage, change_seq) AS (VALUES",
        columns: 3,
        after: ") UPDATE events SET stage = moved.stage, change_seq = moved.change_seq
             FROM moved WHERE events.rowid = moved.id",
        most: ROWS,
    };
    write
        .run(connection, moved, |to, event| {
            to.add(event.rowid)?;
            to.add(event.after.map(PostHogStage::number))?;
            to.add(state.next_change())
        })
        .await?;
    state.save_change_seq(connection).await?;
    let edges = state.edges(moved.iter().map(|event| event.timestamp));
    let deltas = Deltas::of_restaging(
        moved
            .iter()
            .map(|event| (&event.event, event.timestamp, event.before, event.after)),
        &edges,
    );
    counts::add(connection, state, &deltas).await
}
