//! The budget of requests of one PostHog project, shared by every process on the file.

use std::time::Duration;

use async_trait::async_trait;
use domain::storage::{BudgetKey, BudgetLimits, BudgetStore, Grant, Result, Throttles};
use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::errors::sql;
use super::values::{from_json, micros, to_json};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

/// How long a request of another project stays. None is counted after an hour, but clocks differ.
const OTHERS_KEPT: i64 = 2 * HOUR;
/// The most of them forgotten at once.
const OTHERS_FORGOTTEN: i64 = 1000;
/// Forgets requests up to `?1`, `?2` at most.
pub(super) const FORGET_OTHERS: &str = "DELETE FROM budget_requests WHERE rowid IN (
        SELECT rowid FROM budget_requests WHERE at <= ?1 ORDER BY at LIMIT ?2)";

/// How long to wait for a slot: nobody tells when one is given back.
const SLOT_POLL: i64 = 100_000;

#[async_trait]
impl BudgetStore for SqliteStore {
    async fn take(
        &self,
        key: &BudgetKey,
        limits: BudgetLimits,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Grant> {
        let mut tx = self.write().await?;
        let moment = micros(now);
        let mut budget = Budget {
            connection: &mut tx,
            key,
            now: moment,
        };
        let limits = budget.throttles().await?.limit(limits, now);
        if let Some(wait) = budget.wait(limits).await? {
            return Ok(Grant::Wait(Duration::from_micros(wait.unsigned_abs())));
        }
        let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_add(ttl).unwrap_or(Timestamp::MAX);
        let slot = budget.grant(micros(until)).await?;
        tx.commit().await.map_err(sql)?;
        Ok(Grant::Granted { slot })
    }

    async fn give_back(&self, key: &BudgetKey, slot: i64) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM budget_slots WHERE slot = ? AND host = ? AND project_id = ?")
            .bind(slot)
            .bind(key.host.as_str())
            .bind(key.project_id.get())
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        tx.commit().await.map_err(sql)
    }

    async fn note_throttle(&self, key: &BudgetKey, now: Timestamp) -> Result<bool> {
        let mut tx = self.write().await?;
        let mut budget = Budget {
            connection: &mut tx,
            key,
            now: micros(now),
        };
        let mut throttles = budget.throttles().await?;
        let is_long = throttles.note(now);
        sqlx::query(
            "INSERT INTO budget_throttles (host, project_id, throttles) VALUES (?1, ?2, ?3)
             ON CONFLICT (host, project_id) DO UPDATE SET throttles = ?3",
        )
        .bind(key.host.as_str())
        .bind(key.project_id.get())
        .bind(to_json(&throttles)?)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)?;
        Ok(is_long)
    }

    async fn pause(&self, key: &BudgetKey, until: Timestamp) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO budget_pauses (host, project_id, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (host, project_id) DO UPDATE SET until = max(until, ?3)",
        )
        .bind(key.host.as_str())
        .bind(key.project_id.get())
        .bind(micros(until))
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)
    }
}

/// One project's budget at one moment.
struct Budget<'a> {
    connection: &'a mut SqliteConnection,
    key: &'a BudgetKey,
    now: i64,
}

impl Budget<'_> {
    async fn throttles(&mut self) -> Result<Throttles> {
        let kept: Option<String> = sqlx::query_scalar(
            "SELECT throttles FROM budget_throttles WHERE host = ?1 AND project_id = ?2",
        )
        .bind(self.key.host.as_str())
        .bind(self.key.project_id.get())
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(sql)?;
        kept.map_or_else(|| Ok(Throttles::default()), |text| from_json(&text))
    }

    /// How many microseconds to wait before asking again; `None` when a request may go now.
    async fn wait(&mut self, limits: BudgetLimits) -> Result<Option<i64>> {
        let paused: Option<i64> = sqlx::query_scalar(
            "SELECT until - ?3 FROM budget_pauses
             WHERE host = ?1 AND project_id = ?2 AND until > ?3",
        )
        .bind(self.key.host.as_str())
        .bind(self.key.project_id.get())
        .bind(self.now)
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(sql)?;
        if paused.is_some() {
            return Ok(paused);
        }
        let (held, first_free): (i64, Option<i64>) = sqlx::query_as(
            "SELECT count(*), min(expires_at) - ?3 FROM budget_slots
             WHERE host = ?1 AND project_id = ?2 AND expires_at > ?3",
        )
        .bind(self.key.host.as_str())
        .bind(self.key.project_id.get())
        .bind(self.now)
        .fetch_one(&mut *self.connection)
        .await
        .map_err(sql)?;
        if held >= i64::from(limits.concurrent) {
            return Ok(Some(first_free.unwrap_or(SLOT_POLL).min(SLOT_POLL)));
        }
        let minute = self.window(limits.per_minute, MINUTE).await?;
        let hour = self.window(limits.per_hour, HOUR).await?;
        Ok(minute.max(hour))
    }

    /// How long until fewer than `limit` requests lie within the last `length` microseconds.
    async fn window(&mut self, limit: u32, length: i64) -> Result<Option<i64>> {
        if limit == 0 {
            return Ok(Some(length));
        }
        // The window is full as long as the limit-th latest request is in it.
        sqlx::query_scalar(
            "SELECT at + ?4 - ?3 FROM (
                SELECT at FROM budget_requests WHERE host = ?1 AND project_id = ?2
                ORDER BY at DESC LIMIT 1 OFFSET ?5
             ) WHERE at + ?4 > ?3",
        )
        .bind(self.key.host.as_str())
        .bind(self.key.project_id.get())
        .bind(self.now)
        .bind(length)
        .bind(i64::from(limit) - 1)
        .fetch_optional(&mut *self.connection)
        .await
        .map_err(sql)
    }

    /// Notes a request and takes a slot; what no window counts any more is forgotten.
    async fn grant(&mut self, until: i64) -> Result<i64> {
        for forget in [
            "DELETE FROM budget_requests WHERE host = ? AND project_id = ? AND at <= ?",
            "DELETE FROM budget_slots WHERE host = ? AND project_id = ? AND expires_at <= ?",
            "DELETE FROM budget_pauses WHERE host = ? AND project_id = ? AND until <= ?",
        ] {
            let before = if forget.contains("budget_requests") {
                self.now - HOUR
            } else {
                self.now
            };
            sqlx::query(forget)
                .bind(self.key.host.as_str())
                .bind(self.key.project_id.get())
                .bind(before)
                .execute(&mut *self.connection)
                .await
                .map_err(sql)?;
        }
        sqlx::query(FORGET_OTHERS)
            .bind(self.now - OTHERS_KEPT)
            .bind(OTHERS_FORGOTTEN)
            .execute(&mut *self.connection)
            .await
            .map_err(sql)?;
        sqlx::query("INSERT INTO budget_requests (host, project_id, at) VALUES (?, ?, ?)")
            .bind(self.key.host.as_str())
            .bind(self.key.project_id.get())
            .bind(self.now)
            .execute(&mut *self.connection)
            .await
            .map_err(sql)?;
        sqlx::query_scalar(
            "INSERT INTO budget_slots (host, project_id, expires_at) VALUES (?, ?, ?) RETURNING slot",
        )
        .bind(self.key.host.as_str())
        .bind(self.key.project_id.get())
        .bind(until)
        .fetch_one(&mut *self.connection)
        .await
        .map_err(sql)
    }
}
