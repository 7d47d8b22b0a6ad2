//! Epochs, the owners of rows: finding them by id and what a write needs to know of them.

use domain::connection::{Epoch, ProjectId};
use domain::day::{DayEdges, time_zone};
use domain::host::ApiHost;
use domain::mapping::CheckoutSource;
use domain::storage::{EpochRecord, Result};
use domain::{ConnectionId, Mapping};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::errors::{corrupt, not_found, sql};
use super::values::{from_json, get, instant_or_none};

/// The epoch of that id, if there is one.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: ConnectionId,
) -> Result<Option<EpochRecord>> {
    sqlx::query("SELECT * FROM epochs WHERE id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .map(|row| decode(&row))
        .transpose()
}

fn decode(row: &SqliteRow) -> Result<EpochRecord> {
    let project_id: i64 = get(row, "project_id")?;
    Ok(EpochRecord {
        id: ConnectionId(get(row, "id")?),
        epoch: Epoch {
            host: ApiHost::parse(get(row, "host")?).map_err(corrupt)?,
            project_id: ProjectId::try_from(project_id).map_err(corrupt)?,
        },
        time_zone: get(row, "time_zone")?,
        mapping: get::<Option<&str>>(row, "mapping")?
            .map(from_json)
            .transpose()?,
        mapping_revision: get(row, "mapping_revision")?,
        change_seq: get(row, "change_seq")?,
        backfilled_at: instant_or_none(get(row, "backfilled_at")?)?,
        persons_read_at: instant_or_none(get(row, "persons_read_at")?)?,
    })
}

/// The local number of that id.
pub(super) async fn number(connection: &mut SqliteConnection, id: ConnectionId) -> Result<i64> {
    sqlx::query_scalar("SELECT number FROM epochs WHERE id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .ok_or_else(|| not_found(format!("connection {id}")))
}

/// The most days whose edges are worked out ahead; rows beyond are placed one by one.
const EDGES: SignedDuration = SignedDuration::from_hours(24 * 400);

/// What a write to an epoch's events needs to know of it.
pub(super) struct EpochState {
    /// Its local number.
    pub(super) number: i64,
    /// Which daily counts are in force.
    pub(super) rollup: i64,
    /// The zone whose days those count; UTC while the epoch has none.
    pub(super) zone: TimeZone,
    /// By what rows are assigned to stages; no rules while the epoch has none.
    pub(super) mapping: Mapping,
    /// The last change sequence number given.
    pub(super) change_seq: i64,
}

impl EpochState {
    /// The epoch's state within a transaction that writes.
    pub(super) async fn load(connection: &mut SqliteConnection, number: i64) -> Result<Self> {
        // A mapping on its way already decides: rows that the re-map has passed must not be
        // assigned by the earlier one.
        let row = sqlx::query(
            "SELECT time_zone, rollup, coalesce(pending_mapping, mapping) AS mapping, change_seq
             FROM epochs WHERE number = ?",
        )
        .bind(number)
        .fetch_one(connection)
        .await
        .map_err(sql)?;
        let zone: Option<&str> = get(&row, "time_zone")?;
        let mapping: Option<&str> = get(&row, "mapping")?;
        Ok(Self {
            number,
            rollup: get(&row, "rollup")?,
            zone: zone.map_or(Ok(TimeZone::UTC), time_zone).map_err(corrupt)?,
            mapping: mapping.map_or_else(|| Ok(no_mapping()), from_json)?,
            change_seq: get(&row, "change_seq")?,
        })
    }

    /// The edges of the days that these instants lie on.
    pub(super) fn edges(&self, instants: impl Iterator<Item = Timestamp> + Clone) -> DayEdges {
        let last = instants.clone().max().unwrap_or(Timestamp::UNIX_EPOCH);
        let first = instants.min().unwrap_or(last);
        let earliest = last.saturating_sub(EDGES).unwrap_or(Timestamp::MIN);
        DayEdges::covering(&self.zone, first.max(earliest), last)
    }

    /// The next change sequence number.
    pub(super) fn next_change(&mut self) -> i64 {
        self.change_seq += 1;
        self.change_seq
    }

    /// Writes back the last change sequence number given.
    pub(super) async fn save_change_seq(&self, connection: &mut SqliteConnection) -> Result<()> {
        sqlx::query("UPDATE epochs SET change_seq = ? WHERE number = ?")
            .bind(self.change_seq)
            .bind(self.number)
            .execute(connection)
            .await
            .map_err(sql)?;
        Ok(())
    }
}

fn no_mapping() -> Mapping {
    Mapping {
        stages: Vec::new(),
        checkout_source: CheckoutSource::Auto,
    }
}
