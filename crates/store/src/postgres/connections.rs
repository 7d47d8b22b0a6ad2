//! Connections: what is wanted, what was found, and which epoch answers.

use async_trait::async_trait;
use domain::storage::{
    ConnectionFailure, ConnectionRecord, ConnectionStore, DesiredConnection, EpochRecord, Purge,
    Result,
};
use domain::{ConnectionId, check::CheckSummary, connection::ConnectionName};
use jiff::Timestamp;
use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use super::errors::sql;
use super::statement::query;
use super::values::{limit as rows, micros, text, to_json};
use super::{PostgresStore, epochs};
use crate::connection_rows::{ConnectionRow, SERVED, ServedRow};
use crate::failures::not_found;

#[async_trait]
impl ConnectionStore for PostgresStore {
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
        query(
            "INSERT INTO connections AS c (namespace, name, desired, target, serving)
             VALUES ($1, $2, $3, $4, $4)
             ON CONFLICT (namespace, name) DO UPDATE SET
                desired = $3, target = $4, deleted_at = NULL, purge_at = NULL,
                serving = CASE WHEN c.serving IN (SELECT id FROM epochs) THEN c.serving
                    ELSE $4 END",
        )
        .bind(text(&desired.name.namespace))
        .bind(text(&desired.name.name))
        .bind(to_json(desired)?)
        .bind(target.0)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        let record = find(&mut tx, &desired.name).await?;
        tx.commit().await?;
        record.ok_or_else(|| not_found(named(&desired.name)))
    }

    async fn connection(&self, name: &ConnectionName) -> Result<Option<ConnectionRecord>> {
        let mut tx = self.read().await?;
        let record = find(&mut tx, name).await?;
        tx.end().await?;
        Ok(record)
    }

    async fn served(
        &self,
        name: &ConnectionName,
    ) -> Result<Option<(ConnectionRecord, Option<EpochRecord>)>> {
        let query = query(SERVED)
            .bind(text(&name.namespace))
            .bind(text(&name.name));
        self.fetch(query)
            .await?
            .first()
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
        let query = query(
            "SELECT * FROM connections
             WHERE deleted_at IS NULL AND (namespace, name) > ($1, $2)
                AND ($3::text IS NULL OR namespace = $3)
             ORDER BY namespace, name LIMIT $4",
        )
        .bind(text(after_namespace))
        .bind(text(after_name))
        .bind(namespace.map(text))
        .bind(rows(limit));
        self.fetch(query).await?.iter().map(decode).collect()
    }

    async fn epoch(&self, id: ConnectionId) -> Result<Option<EpochRecord>> {
        let mut tx = self.read().await?;
        let record = epochs::find(&mut tx, id).await?;
        tx.end().await?;
        Ok(record)
    }

    async fn record_check(&self, name: &ConnectionName, check: &CheckSummary) -> Result<()> {
        self.change(name, "summary = $3, failure = NULL", Some(to_json(check)?))
            .await
    }

    async fn record_failure(
        &self,
        name: &ConnectionName,
        failure: Option<&ConnectionFailure>,
    ) -> Result<()> {
        self.change(name, "failure = $3", failure.map(to_json).transpose()?)
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
            query("UPDATE connections SET serving = $3 WHERE namespace = $1 AND name = $2")
                .bind(text(&name.namespace))
                .bind(text(&name.name))
                .bind(id.0)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
        found(name, &changed)?;
        tx.commit().await
    }

    async fn mark_deleted(&self, name: &ConnectionName, now: Timestamp) -> Result<()> {
        let mut tx = self.write().await?;
        let record =
            query("SELECT * FROM connections WHERE namespace = $1 AND name = $2 FOR NO KEY UPDATE")
                .bind(text(&name.namespace))
                .bind(text(&name.name))
                .fetch_optional(&mut *tx)
                .await
                .map_err(sql)?;
        let record = decode(&record.ok_or_else(|| not_found(named(name)))?)?;
        if record.deleted_at.is_some() {
            return tx.end().await;
        }
        query(
            "UPDATE connections SET deleted_at = $3, purge_at = $4
             WHERE namespace = $1 AND name = $2",
        )
        .bind(text(&name.namespace))
        .bind(text(&name.name))
        .bind(micros(now))
        .bind(record.desired.deletion.due(now).map(micros))
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await
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
        // Another process may have made them since, and whoever is at it now is waited for.
        query("LOCK TABLE page_token_keys IN SHARE ROW EXCLUSIVE MODE")
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        query(
            "INSERT INTO page_token_keys (key)
             SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM page_token_keys)",
        )
        .bind(rand::random::<[u8; 32]>().to_vec())
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await?;
        self.kept_token_keys().await
    }

    async fn ping(&self) -> Result<()> {
        self.check_schema().await
    }
}

impl PostgresStore {
    /// Sets one thing of a connection; `assignments` is SQL of ours, `value` its third parameter.
    async fn change(
        &self,
        name: &ConnectionName,
        assignments: &'static str,
        value: Option<String>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let changed = query(AssertSqlSafe(format!(
            "UPDATE connections SET {assignments} WHERE namespace = $1 AND name = $2"
        )))
        .bind(text(&name.namespace))
        .bind(text(&name.name))
        .bind(value)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        found(name, &changed)?;
        tx.commit().await
    }

    async fn kept_token_keys(&self) -> Result<Vec<Vec<u8>>> {
        self.fetch_column(query(
            "SELECT key FROM page_token_keys ORDER BY number DESC",
        ))
        .await
    }
}

async fn put_epoch(
    connection: &mut PgConnection,
    id: ConnectionId,
    desired: &DesiredConnection,
) -> Result<()> {
    query(
        "INSERT INTO epochs (id, host, project_id, id_properties, namespace, name)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET id_properties = excluded.id_properties,
            conflicts_known = epochs.conflicts_known
                AND epochs.id_properties = excluded.id_properties,
            namespace = excluded.namespace, name = excluded.name",
    )
    .bind(id.0)
    .bind(desired.epoch.host.as_str())
    .bind(desired.epoch.project_id.get())
    .bind(to_json(&desired.id_properties)?)
    .bind(text(&desired.name.namespace))
    .bind(text(&desired.name.name))
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

async fn find(
    connection: &mut PgConnection,
    name: &ConnectionName,
) -> Result<Option<ConnectionRecord>> {
    query("SELECT * FROM connections WHERE namespace = $1 AND name = $2")
        .bind(text(&name.namespace))
        .bind(text(&name.name))
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        .as_ref()
        .map(decode)
        .transpose()
}

fn decode_served(row: &PgRow) -> Result<(ConnectionRecord, Option<EpochRecord>)> {
    ServedRow::from_row(row).map_err(sql)?.records()
}

fn decode(row: &PgRow) -> Result<ConnectionRecord> {
    ConnectionRow::from_row(row).map_err(sql)?.record()
}

fn named(name: &ConnectionName) -> String {
    format!("connection {name}")
}

fn found(name: &ConnectionName, changed: &PgQueryResult) -> Result<()> {
    if changed.rows_affected() == 0 {
        return Err(not_found(named(name)));
    }
    Ok(())
}
