//! A change of time zone: daily counts of the new days built beside those in force, day by day,
//! and switched to with one update. Erasures need no lease: the epoch's change sequence tells that
//! one took events away meanwhile, and then the counts are built again.

use std::collections::BTreeMap;

use domain::day::{day_bounds, day_of, time_zone};
use domain::storage::{Lease, Result};
use jiff::tz::TimeZone;
use sqlx::{PgConnection, Row};

use super::counts::Moves;
use super::errors::sql;
use super::statement::{query, query_scalar};
use super::values::{day_number, get, instant, micros};
use super::{PostgresStore, counts, event_columns, leases};
use crate::failures::not_found;

/// What is built: the epoch's number and the number of the counts, and the last change when it began.
struct Rollup {
    epoch: i64,
    number: i64,
    change_seq: i64,
}

/// The counts of one name and stage on one day.
struct Group {
    event: String,
    stage: Option<i16>,
    events: i64,
}

impl PostgresStore {
    pub(super) async fn rebuild_counts(&self, lease: &Lease, name: &str) -> Result<()> {
        let zone = time_zone(name).map_err(|_| not_found(format!("time zone {name:?}")))?;
        while let Some(rollup) = self.begin_rollup(lease, name).await? {
            let mut from = i64::MIN;
            while let Some((day, next, groups)) = self.next_day(&rollup, &zone, from).await? {
                self.add_day(lease, &rollup, day, &groups).await?;
                from = next;
            }
            if self.switch(lease, &rollup, name).await? {
                tracing::info!(time_zone = name, "counted the stored events by other days");
                break;
            }
        }
        Ok(())
    }

    /// Makes room for new counts; `None` when the zone is in force.
    async fn begin_rollup(&self, lease: &Lease, name: &str) -> Result<Option<Rollup>> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let row = query("SELECT time_zone, rollup, change_seq FROM epochs WHERE number = $1")
            .bind(epoch)
            .fetch_one(&mut *tx)
            .await
            .map_err(sql)?;
        if get::<Option<&str>>(&row, "time_zone")? == Some(name) {
            tx.end().await?;
            return Ok(None);
        }
        // An interrupted call may have left some, counted before later pages came.
        let (in_force, change_seq): (i64, i64) = (get(&row, "rollup")?, get(&row, "change_seq")?);
        remove_others(&mut tx, epoch, in_force).await?;
        tx.commit().await?;
        Ok(Some(Rollup {
            epoch,
            number: in_force + 1,
            change_seq,
        }))
    }

    /// Counts the first day that has events at or after `from`, without holding up writers: the
    /// lease keeps this epoch's events as they are, but for erasures. Returns the day, where the
    /// next begins, and its counts.
    async fn next_day(
        &self,
        rollup: &Rollup,
        zone: &TimeZone,
        from: i64,
    ) -> Result<Option<(i64, i64, Vec<Group>)>> {
        let mut tx = self.read_for_upkeep().await?;
        let first: Option<i64> =
            query_scalar("SELECT min(timestamp) FROM events WHERE epoch = $1 AND timestamp >= $2")
                .bind(rollup.epoch)
                .bind(from)
                .fetch_one(&mut *tx)
                .await
                .map_err(sql)?;
        let Some(first) = first else {
            tx.end().await?;
            return Ok(None);
        };
        let day = day_of(instant(first)?, zone);
        let (_, end) = day_bounds(day, zone);
        // At the end of time a day has no end of its own.
        let end = micros(end).max(first + 1);
        let groups = query(
            "SELECT event, stage, count(*) FROM events
             WHERE epoch = $1 AND timestamp >= $2 AND timestamp < $3 GROUP BY event, stage",
        )
        .bind(rollup.epoch)
        .bind(first)
        .bind(end)
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
        tx.end().await?;
        let groups = groups
            .iter()
            .map(|row| {
                Ok(Group {
                    event: row.try_get(0).map_err(sql)?,
                    stage: row.try_get(1).map_err(sql)?,
                    events: row.try_get(2).map_err(sql)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Some((day_number(day), end, groups)))
    }

    async fn add_day(
        &self,
        lease: &Lease,
        rollup: &Rollup,
        day: i64,
        groups: &[Group],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        leases::hold(&mut tx, lease).await?;
        // A name may come with several stages, and a row is moved once a statement.
        let mut by_name: BTreeMap<&str, i64> = BTreeMap::new();
        let mut stages = Moves::default();
        for group in groups {
            *by_name.entry(&group.event).or_default() += group.events;
            if let Some(stage) = event_columns::stage(group.stage)? {
                stages.push(day, Some(stage), &group.event, group.events);
            }
        }
        let mut events = Moves::default();
        for (name, count) in by_name {
            events.push(day, None, name, count);
        }
        counts::add_to_events(&mut tx, rollup.epoch, rollup.number, &events).await?;
        counts::add_to_stages(&mut tx, rollup.epoch, rollup.number, &stages).await?;
        tx.commit().await
    }

    /// Switches to what was built; not if an erasure took events away meanwhile.
    async fn switch(&self, lease: &Lease, rollup: &Rollup, name: &str) -> Result<bool> {
        let mut tx = self.write().await?;
        leases::hold(&mut tx, lease).await?;
        // Clickmaps by another zone's days miss what comes from now on, and that zone may come back.
        let switched = query(
            "UPDATE epochs SET time_zone = $1, rollup = $2, clickmap_time_zone = NULL,
                mapping_revision = mapping_revision + 1
             WHERE number = $3 AND change_seq = $4",
        )
        .bind(name)
        .bind(rollup.number)
        .bind(rollup.epoch)
        .bind(rollup.change_seq)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        if switched.rows_affected() == 0 {
            tx.end().await?;
            return Ok(false);
        }
        remove_others(&mut tx, rollup.epoch, rollup.number).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Removes every count of an epoch but those of `kept`.
async fn remove_others(connection: &mut PgConnection, epoch: i64, kept: i64) -> Result<()> {
    for remove in [
        "DELETE FROM daily_event_counts WHERE epoch = $1 AND rollup <> $2",
        "DELETE FROM daily_stage_counts WHERE epoch = $1 AND rollup <> $2",
    ] {
        query(remove)
            .bind(epoch)
            .bind(kept)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}
