//! Connections: what is wanted, what was found, and which epoch answers.

use async_trait::async_trait;
use domain::storage::{
    ConnectionFailure, ConnectionRecord, ConnectionStore, DesiredConnection, EpochRecord, Purge,
    Result,
};
use domain::{ConnectionId, check::CheckSummary, connection::ConnectionName};
use jiff::Timestamp;
use sqlx::sqlite::{SqliteQueryResult, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::errors::{not_found, sql};
use super::values::{limit as rows, micros, to_json};
use super::{SqliteStore, epochs};
use crate::connection_rows::{ConnectionRow, SERVED, ServedRow};

#[async_trait]
impl ConnectionStore for SqliteStore {
    async fn put_connection(
        &self,
        desired: &DesiredConnection,
        _now: Timestamp,
    ) -> Result<ConnectionRecord> {
        let target = ConnectionId::of(&desired.name, &desired.epoch);
        // Most calls change nothing, and they need not wait for whoever is writing.
        if let Some(found) = self.connection(&desired.name).await?
            && found.desired == *desired
            && found.deleted_at.is_none()
            && self.epoch(target).await?.is_some()
        {
            return Ok(found);
        }
        let mut tx = self.write().await?;
        put_epoch(&mut tx, target, desired).await?;
        // An epoch that was purged cannot go on serving.
        sqlx::query(
            "INSERT INTO connections (namespace, name, desired, target, serving)
             VALUES (?1, ?2, ?3, ?4, ?4)
             ON CONFLICT (namespace, name) DO UPDATE SET
                desired = ?3, target = ?4, deleted_at = NULL, purge_at = NULL,
                serving = CASE WHEN serving IN (SELECT id FROM epochs) THEN serving ELSE ?4 END",
        )
        .bind(&desired.name.namespace)
        .bind(&desired.name.name)
        .bind(to_json(desired)?)
        .bind(target.0)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        let record = find(&mut tx, &desired.name).await?;
        tx.commit().await.map_err(sql)?;
        record.ok_or_else(|| not_found(named(&desired.name)))
    }

    async fn connection(&self, name: &ConnectionName) -> Result<Option<ConnectionRecord>> {
        let mut reader = self.readers.acquire().await.map_err(sql)?;
        find(&mut reader, name).await
    }

    async fn served(
        &self,
        name: &ConnectionName,
    ) -> Result<Option<(ConnectionRecord, Option<EpochRecord>)>> {
        let mut reader = self.readers.acquire().await.map_err(sql)?;
        sqlx::query(SERVED)
            .bind(&name.namespace)
            .bind(&name.name)
            .fetch_optional(&mut *reader)
            .await
            .map_err(sql)?
            .as_ref()
            .map(decode_served)
            .transpose()
    }

    async fn connections(
        &self,
        namespace: Option<&str>,
        after: Option<&ConnectionName>,
        limit: usize,
    ) -> Result<Vec<ConnectionRecord>> {
        let (after_namespace, after_name) =
            after.map_or(("", ""), |name| (&name.namespace, &name.name));
        sqlx::query(
            "SELECT * FROM connections
             WHERE deleted_at IS NULL AND (namespace, name) > (?1, ?2)
                AND (?3 IS NULL OR namespace = ?3)
             ORDER BY namespace, name LIMIT ?4",
        )
        .bind(after_namespace)
        .bind(after_name)
        .bind(namespace)
        .bind(rows(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(sql)?
        .iter()
        .map(decode)
        .collect()
    }

    async fn epoch(&self, id: ConnectionId) -> Result<Option<EpochRecord>> {
        let mut reader = self.readers.acquire().await.map_err(sql)?;
        epochs::find(&mut reader, id).await
    }

    async fn record_check(&self, name: &ConnectionName, check: &CheckSummary) -> Result<()> {
        self.change(name, "summary = ?3, failure = NULL", Some(to_json(check)?))
            .await
    }

    async fn record_failure(
        &self,
        name: &ConnectionName,
        failure: Option<&ConnectionFailure>,
    ) -> Result<()> {
        self.change(name, "failure = ?3", failure.map(to_json).transpose()?)
            .await
    }

    async fn serve_epoch(
        &self,
        name: &ConnectionName,
        id: ConnectionId,
        _now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        epochs::number(&mut tx, id).await?;
        let changed =
            sqlx::query("UPDATE connections SET serving = ?3 WHERE namespace = ?1 AND name = ?2")
                .bind(&name.namespace)
                .bind(&name.name)
                .bind(id.0)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
        found(name, &changed)?;
        tx.commit().await.map_err(sql)
    }

    async fn mark_deleted(&self, name: &ConnectionName, now: Timestamp) -> Result<()> {
        let mut tx = self.write().await?;
        let record = find(&mut tx, name)
            .await?
            .ok_or_else(|| not_found(named(name)))?;
        if record.deleted_at.is_some() {
            return Ok(());
        }
        sqlx::query(
            "UPDATE connections SET deleted_at = ?3, purge_at = ?4
             WHERE namespace = ?1 AND name = ?2",
        )
        .bind(&name.namespace)
        .bind(&name.name)
        .bind(micros(now))
        .bind(record.desired.deletion.due(now).map(micros))
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)
    }

    async fn purges_due(
        &self,
        now: Timestamp,
        after: Option<&ConnectionName>,
        limit: usize,
    ) -> Result<Vec<ConnectionName>> {
        self.list_purges(now, after, limit).await
    }

    async fn purge_connection(&self, name: &ConnectionName, now: Timestamp) -> Result<Purge> {
        self.purge(name, now).await
    }

    async fn page_token_keys(&self) -> Result<Vec<Vec<u8>>> {
        let kept = self.kept_token_keys().await?;
        if !kept.is_empty() {
            return Ok(kept);
        }
        let mut tx = self.write().await?;
        // Another process may have made them since.
        sqlx::query(
            "INSERT INTO page_token_keys (key)
             SELECT ? WHERE NOT EXISTS (SELECT 1 FROM page_token_keys)",
        )
        .bind(rand::random::<[u8; 32]>().to_vec())
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await.map_err(sql)?;
        self.kept_token_keys().await
    }

    async fn ping(&self) -> Result<()> {
        self.check_schema().await
    }
}

impl SqliteStore {
    /// Sets one thing of a connection; `assignments` is SQL of ours, `value` its third parameter.
    async fn change(
        &self,
        name: &ConnectionName,
        assignments: &'static str,
        value: Option<String>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let changed = sqlx::query(AssertSqlSafe(format!(
            "UPDATE connections SET {assignments} WHERE namespace = ?1 AND name = ?2"
        )))
        .bind(&name.namespace)
        .bind(&name.name)
        .bind(value)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        found(name, &changed)?;
        tx.commit().await.map_err(sql)
    }

    async fn kept_token_keys(&self) -> Result<Vec<Vec<u8>>> {
        sqlx::query_scalar("SELECT key FROM page_token_keys ORDER BY number DESC")
            .fetch_all(&self.readers)
            .await
            .map_err(sql)
    }
}

async fn put_epoch(
    connection: &mut SqliteConnection,
    id: ConnectionId,
    desired: &DesiredConnection,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO epochs (id, host, project_id, id_properties, namespace, name)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET id_properties = excluded.id_properties,
            conflicts_known = epochs.conflicts_known
                AND epochs.id_properties = excluded.id_properties,
            namespace = excluded.namespace, name = excluded.name",
    )
    .bind(id.0)
    .bind(desired.epoch.host.as_str())
    .bind(desired.epoch.project_id.get())
    .bind(to_json(&desired.id_properties)?)
    .bind(&desired.name.namespace)
    .bind(&desired.name.name)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

async fn find(
    connection: &mut SqliteConnection,
    name: &ConnectionName,
) -> Result<Option<ConnectionRecord>> {
    sqlx::query("SELECT * FROM connections WHERE namespace = ? AND name = ?")
        .bind(&name.namespace)
        .bind(&name.name)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .as_ref()
        .map(decode)
        .transpose()
}

fn decode_served(row: &SqliteRow) -> Result<(ConnectionRecord, Option<EpochRecord>)> {
    ServedRow::from_row(row).map_err(sql)?.records()
}

fn decode(row: &SqliteRow) -> Result<ConnectionRecord> {
    ConnectionRow::from_row(row).map_err(sql)?.record()
}

fn named(name: &ConnectionName) -> String {
    format!("connection {name}")
}

fn found(name: &ConnectionName, changed: &SqliteQueryResult) -> Result<()> {
    if changed.rows_affected() == 0 {
        return Err(not_found(named(name)));
    }
    Ok(())
}
