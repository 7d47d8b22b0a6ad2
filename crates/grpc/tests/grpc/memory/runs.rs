//! Runs: the server lists them and does nothing else with them.

use std::time::Duration;

use async_trait::async_trait;
use domain::storage::{
    EventDefinition, Lease, NewRun, OpenRun, Page, PageOutcome, Result, RunEnd, RunId, RunRecord,
    SyncStore,
};
use domain::sync::{RunTotals, Slice, SyncMode};
use domain::{ConnectionId, Mapping};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{Memory, read_only};

#[async_trait]
impl SyncStore for Memory {
    async fn runs(
        &self,
        _: ConnectionId,
        mode: Option<SyncMode>,
        limit: usize,
    ) -> Result<Vec<RunRecord>> {
        self.ask(|state| {
            let newest_first = state.runs.iter().rev();
            newest_first
                .filter(|run| mode.is_none_or(|mode| run.mode == mode))
                .take(limit)
                .cloned()
                .collect()
        })
        .await
    }

    async fn last_complete_run(&self, _: ConnectionId) -> Result<Option<RunRecord>> {
        read_only()
    }

    async fn acquire_lease(&self, _: ConnectionId, _: &str, _: Duration) -> Result<Lease> {
        read_only()
    }

    async fn renew_lease(&self, _: &Lease, _: Duration) -> Result<()> {
        read_only()
    }

    async fn release_lease(&self, _: &Lease) -> Result<()> {
        read_only()
    }

    async fn release_all_of(&self, _: &str) -> Result<u64> {
        read_only()
    }

    async fn begin_run(&self, _: &Lease, _: &NewRun) -> Result<RunId> {
        read_only()
    }

    async fn open_run(&self, _: ConnectionId, _: SyncMode) -> Result<Option<OpenRun>> {
        read_only()
    }

    async fn apply_page(&self, _: &Lease, _: Page) -> Result<PageOutcome> {
        read_only()
    }

    async fn split_slice(&self, _: &Lease, _: RunId, _: i64, _: &[Slice]) -> Result<()> {
        read_only()
    }

    async fn add_totals(&self, _: &Lease, _: RunId, _: &RunTotals) -> Result<()> {
        read_only()
    }

    async fn end_run(&self, _: &Lease, _: RunId, _: &RunEnd, _: Timestamp) -> Result<RunRecord> {
        read_only()
    }

    async fn remap(&self, _: &Lease, _: &Mapping) -> Result<u64> {
        read_only()
    }

    async fn set_time_zone(&self, _: &Lease, _: &str) -> Result<()> {
        read_only()
    }

    async fn put_event_definitions(&self, _: &Lease, _: &[EventDefinition]) -> Result<()> {
        read_only()
    }

    async fn remove_events(&self, _: &Lease, _: &[Uuid]) -> Result<u64> {
        read_only()
    }

    async fn expire_events(&self, _: &Lease, _: Timestamp) -> Result<u64> {
        read_only()
    }

    async fn remove_left_epochs(&self, _: &Lease, _: Timestamp) -> Result<u64> {
        read_only()
    }

    async fn expire_runs(&self, _: &Lease, _: Timestamp) -> Result<u64> {
        read_only()
    }

    async fn count_by_utc_day(
        &self,
        _: ConnectionId,
        _: Date,
        _: Date,
    ) -> Result<Vec<(Date, u64)>> {
        read_only()
    }

    async fn uuids_of_utc_day(&self, _: ConnectionId, _: Date, _: Timestamp) -> Result<Vec<Uuid>> {
        read_only()
    }
}
