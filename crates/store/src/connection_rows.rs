//! Connections, epochs and verdicts as rows, in every store alike: what their columns say.

use domain::ApiHost;
use domain::connection::{ConnectionId, Epoch, ProjectId};
use domain::storage::{ConnectionRecord, DayVerdict, EpochRecord, Result};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use uuid::Uuid;

use crate::failures::corrupt;
use crate::values::{day, from_json, instant, instant_or_none, unsigned};

/// The columns of a connection.
#[derive(sqlx::FromRow)]
pub(crate) struct ConnectionRow {
    desired: String,
    target: Uuid,
    serving: Uuid,
    summary: Option<String>,
    failure: Option<String>,
    deleted_at: Option<i64>,
}

/// The columns of an epoch.
#[derive(sqlx::FromRow)]
pub(crate) struct EpochRow {
    id: Uuid,
    number: i64,
    host: String,
    project_id: i64,
    time_zone: Option<String>,
    mapping: Option<String>,
    mapping_revision: i64,
    change_seq: i64,
    link_seq: i64,
    facts_known_from: i64,
    id_properties: String,
    backfilled_at: Option<i64>,
    persons_read_at: Option<i64>,
    clickmap_rules: Option<String>,
}

/// A connection's columns and those of the epoch that serves it; none that is read is of both.
pub(crate) const SERVED: &str =
    "SELECT c.desired, c.target, c.serving, c.summary, c.failure, c.deleted_at, e.*
    FROM connections AS c LEFT JOIN epochs AS e ON e.id = c.serving
    WHERE c.namespace = $1 AND c.name = $2";

/// What [`SERVED`] selects.
#[derive(sqlx::FromRow)]
pub(crate) struct ServedRow {
    #[sqlx(flatten)]
    connection: ConnectionRow,
    #[sqlx(flatten)]
    epoch: JoinedEpoch,
}

/// The columns of an epoch, where there is one.
struct JoinedEpoch(Option<EpochRow>);

/// The columns of a day's verdict.
#[derive(sqlx::FromRow)]
pub(crate) struct VerdictRow {
    day: i64,
    remote: i64,
    local: i64,
    erased: i64,
    verdict: String,
    repulls: i64,
    counted_at: i64,
}

impl ConnectionRow {
    /// What they say.
    pub(crate) fn record(self) -> Result<ConnectionRecord> {
        Ok(ConnectionRecord {
            desired: from_json(&self.desired)?,
            target: ConnectionId(self.target),
            serving: ConnectionId(self.serving),
            check: self.summary.as_deref().map(from_json).transpose()?,
            failure: self.failure.as_deref().map(from_json).transpose()?,
            deleted_at: instant_or_none(self.deleted_at)?,
        })
    }
}

impl EpochRow {
    /// What they say.
    pub(crate) fn record(self) -> Result<EpochRecord> {
        Ok(EpochRecord {
            id: ConnectionId(self.id),
            life: self.number,
            epoch: Epoch {
                host: ApiHost::parse(&self.host).map_err(corrupt)?,
                project_id: ProjectId::try_from(self.project_id).map_err(corrupt)?,
            },
            time_zone: self.time_zone,
            mapping: self.mapping.as_deref().map(from_json).transpose()?,
            mapping_revision: self.mapping_revision,
            change_seq: self.change_seq,
            link_seq: self.link_seq,
            facts_known_from: self.facts_known_from,
            id_properties: from_json(&self.id_properties)?,
            backfilled_at: instant_or_none(self.backfilled_at)?,
            persons_read_at: instant_or_none(self.persons_read_at)?,
            clickmap_rules: self.clickmap_rules.as_deref().map(from_json).transpose()?,
        })
    }
}

impl ServedRow {
    /// What they say.
    pub(crate) fn records(self) -> Result<(ConnectionRecord, Option<EpochRecord>)> {
        let epoch = self.epoch.0.map(EpochRow::record).transpose()?;
        Ok((self.connection.record()?, epoch))
    }
}

impl<'r, R> FromRow<'r, R> for JoinedEpoch
where
    R: Row,
    &'static str: ColumnIndex<R>,
    Option<Uuid>: Decode<'r, R::Database> + Type<R::Database>,
    EpochRow: FromRow<'r, R>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let id: Option<Uuid> = row.try_get("id")?;
        id.map(|_| EpochRow::from_row(row)).transpose().map(Self)
    }
}

impl VerdictRow {
    /// What they say.
    pub(crate) fn verdict(self) -> Result<DayVerdict> {
        Ok(DayVerdict {
            day: day(self.day)?,
            remote: unsigned(self.remote),
            local: unsigned(self.local),
            erased: unsigned(self.erased),
            verdict: self.verdict.parse().map_err(corrupt)?,
            repulls: u32::try_from(self.repulls).map_err(corrupt)?,
            counted_at: instant(self.counted_at)?,
        })
    }
}
