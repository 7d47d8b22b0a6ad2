//! Connections and what was proven of their days.

use async_trait::async_trait;
use domain::check::CheckSummary;
use domain::storage::{
    CompletenessStore, ConnectionFailure, ConnectionRecord, ConnectionStore, DayVerdict,
    DesiredConnection, EpochRecord, Lease, Purge, Result,
};
use domain::{ConnectionId, ConnectionName};
use jiff::Timestamp;
use jiff::civil::Date;

use super::{Memory, read_only};

#[async_trait]
impl ConnectionStore for Memory {
    async fn connection(&self, name: &ConnectionName) -> Result<Option<ConnectionRecord>> {
        self.ask(|state| state.connections.get(name).cloned()).await
    }

    async fn connections(
        &self,
        namespace: Option<&str>,
        after: Option<&ConnectionName>,
        limit: usize,
    ) -> Result<Vec<ConnectionRecord>> {
        self.ask(|state| {
            state
                .connections
                .values()
                .filter(|record| record.deleted_at.is_none())
                .filter(|record| namespace.is_none_or(|it| it == record.desired.name.namespace))
                .filter(|record| after.is_none_or(|after| record.desired.name > *after))
                .take(limit)
                .cloned()
                .collect()
        })
        .await
    }

    async fn served(
        &self,
        name: &ConnectionName,
    ) -> Result<Option<(ConnectionRecord, Option<EpochRecord>)>> {
        self.ask(|state| {
            let record = state.connections.get(name)?.clone();
            let epoch = state.epochs.get(&record.serving).cloned();
            Some((record, epoch))
        })
        .await
    }

    async fn epoch(&self, id: ConnectionId) -> Result<Option<EpochRecord>> {
        self.ask(|state| state.epochs.get(&id).cloned()).await
    }

    async fn page_token_keys(&self) -> Result<Vec<Vec<u8>>> {
        self.ask(|state| state.keys.clone()).await
    }

    async fn ping(&self) -> Result<()> {
        self.ask(|_| ()).await
    }

    async fn put_connection(
        &self,
        _: &DesiredConnection,
        _: Timestamp,
    ) -> Result<ConnectionRecord> {
        read_only()
    }

    async fn record_check(&self, _: &ConnectionName, _: &CheckSummary) -> Result<()> {
        read_only()
    }

    async fn record_failure(
        &self,
        _: &ConnectionName,
        _: Option<&ConnectionFailure>,
    ) -> Result<()> {
        read_only()
    }

    async fn serve_epoch(&self, _: &ConnectionName, _: ConnectionId, _: Timestamp) -> Result<()> {
        read_only()
    }

    async fn mark_deleted(&self, _: &ConnectionName, _: Timestamp) -> Result<()> {
        read_only()
    }

    async fn purges_due(
        &self,
        _: Timestamp,
        _: Option<&ConnectionName>,
        _: usize,
    ) -> Result<Vec<ConnectionName>> {
        read_only()
    }

    async fn purge_connection(&self, _: &ConnectionName, _: Timestamp) -> Result<Purge> {
        read_only()
    }
}

#[async_trait]
impl CompletenessStore for Memory {
    async fn put_verdicts(&self, _: &Lease, _: &[DayVerdict]) -> Result<()> {
        read_only()
    }

    async fn verdicts(&self, _: ConnectionId, from: Date, to: Date) -> Result<Vec<DayVerdict>> {
        self.ask(|state| {
            let mut days = state.verdicts.clone();
            days.retain(|verdict| (from..to).contains(&verdict.day));
            days
        })
        .await
    }
}
