//! A change of time zone: daily counts of the new days built beside those in force, day by day,
//! and switched to with one update. Erasures need no lease: the epoch's change sequence tells that
//! one took events away meanwhile, and then the counts are built again.

use domain::day::{day_bounds, day_of, time_zone};
use domain::storage::{Lease, Result};
use jiff::tz::TimeZone;
use sqlx::{Row, SqliteConnection};

use super::errors::{not_found, sql};
use super::values::{day_number, get, instant, micros};
use super::{SqliteStore, leases};

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

impl SqliteStore {
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
        let row = sqlx::query("SELECT time_zone, rollup, change_seq FROM epochs WHERE number = ?")
            .bind(epoch)
            .fetch_one(&mut *tx)
            .await
            .map_err(sql)?;
        if get::<Option<&str>>(&row, "time_zone")? == Some(name) {
            return Ok(None);
        }
        // An interrupted call may have left some, counted before later pages came.
        let (in_force, change_seq): (i64, i64) = (get(&row, "rollup")?, get(&row, "change_seq")?);
        remove_others(&mut tx, epoch, in_force).await?;
        tx.commit().await.map_err(sql)?;
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
        let mut tx = self.read().await?;
        let first: Option<i64> = sqlx::query_scalar(
            "SELECT min(timestamp) FROM events WHERE epoch = ? AND timestamp >= ?",
        )
        .bind(rollup.epoch)
        .bind(from)
        .fetch_one(&mut *tx)
        .await
        .map_err(sql)?;
        let Some(first) = first else {
            return Ok(None);
        };
        let day = day_of(instant(first)?, zone);
        let (_, end) = day_bounds(day, zone);
        // At the end of time a day has no end of its own.
        let end = micros(end).max(first + 1);
        let groups = sqlx::query(
            "SELECT event, stage, count(*) FROM events
             WHERE epoch = ? AND timestamp >= ? AND timestamp < ? GROUP BY event, stage",
        )
        .bind(rollup.epoch)
        .bind(first)
        .bind(end)
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?
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
        for group in groups {
            sqlx::query(
                "INSERT INTO daily_event_counts (epoch, rollup, day, event, events)
                 VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT (epoch, rollup, day, event)
                 DO UPDATE SET events = events + excluded.events",
            )
            .bind(rollup.epoch)
            .bind(rollup.number)
            .bind(day)
            .bind(&group.event)
            .bind(group.events)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
            let Some(stage) = group.stage else { continue };
            sqlx::query(
                "INSERT INTO daily_stage_counts (epoch, rollup, day, stage, event, events)
                 VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT (epoch, rollup, day, stage, event)
                 DO UPDATE SET events = events + excluded.events",
            )
            .bind(rollup.epoch)
            .bind(rollup.number)
            .bind(day)
            .bind(stage)
            .bind(&group.event)
            .bind(group.events)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        }
        tx.commit().await.map_err(sql)
    }

    /// Switches to what was built; not if an erasure took events away meanwhile.
    async fn switch(&self, lease: &Lease, rollup: &Rollup, name: &str) -> Result<bool> {
        let mut tx = self.write().await?;
        leases::hold(&mut tx, lease).await?;
        // Clickmaps by another zone's days miss what comes from now on, and that zone may come back.
        let switched = sqlx::query(
            "UPDATE epochs SET time_zone = ?, rollup = ?, clickmap_time_zone = NULL,
                mapping_revision = mapping_revision + 1
             WHERE number = ? AND change_seq = ?",
        )
        .bind(name)
        .bind(rollup.number)
        .bind(rollup.epoch)
        .bind(rollup.change_seq)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        if switched.rows_affected() == 0 {
            return Ok(false);
        }
        remove_others(&mut tx, rollup.epoch, rollup.number).await?;
        tx.commit().await.map_err(sql)?;
        Ok(true)
    }
}

/// Removes every count of an epoch but those of `kept`.
async fn remove_others(connection: &mut SqliteConnection, epoch: i64, kept: i64) -> Result<()> {
    for remove in [
        "DELETE FROM daily_event_counts WHERE epoch = ? AND rollup <> ?",
        "DELETE FROM daily_stage_counts WHERE epoch = ? AND rollup <> ?",
    ] {
        sqlx::query(remove)
            .bind(epoch)
            .bind(kept)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}
