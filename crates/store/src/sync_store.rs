//! [`SyncStore`](domain::storage::SyncStore) as a table of contents, once for every store: each
//! promise is kept in the file of its statements, by a method of the name given here.

/// Implements it for a store that has the methods.
macro_rules! sync_store {
    ($store:ident) => {
        mod sync_store {
            use std::time::Duration;

            use async_trait::async_trait;
            use domain::storage::{
                EventDefinition, Lease, NewRun, OpenRun, Page, PageOutcome, Result, RunEnd, RunId,
                RunRecord, SyncStore,
            };
            use domain::sync::{RunTotals, Slice, SyncMode};
            use domain::{ConnectionId, Mapping};
            use jiff::Timestamp;
            use jiff::civil::Date;
            use uuid::Uuid;

            use super::utc_days::STORED;
            use super::$store;

            #[async_trait]
            impl SyncStore for $store {
                async fn acquire_lease(
                    &self,
                    connection: ConnectionId,
                    holder: &str,
                    ttl: Duration,
                ) -> Result<Lease> {
                    self.take_lease(connection, holder, ttl).await
                }

                async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<()> {
                    self.extend_lease(lease, ttl).await
                }

                async fn release_lease(&self, lease: &Lease) -> Result<()> {
                    self.drop_lease(lease).await
                }

                async fn release_all_of(&self, holder: &str) -> Result<u64> {
                    self.bury(holder).await
                }

                async fn begin_run(&self, lease: &Lease, run: &NewRun) -> Result<RunId> {
                    self.start_run(lease, run).await
                }

                async fn open_run(
                    &self,
                    connection: ConnectionId,
                    mode: SyncMode,
                ) -> Result<Option<OpenRun>> {
                    self.find_open_run(connection, mode).await
                }

                async fn apply_page(&self, lease: &Lease, page: Page) -> Result<PageOutcome> {
                    self.store_page(lease, page).await
                }

                async fn split_slice(
                    &self,
                    lease: &Lease,
                    run: RunId,
                    number: i64,
                    parts: &[Slice],
                ) -> Result<()> {
                    self.replace_slice(lease, run, number, parts).await
                }

                async fn add_totals(
                    &self,
                    lease: &Lease,
                    run: RunId,
                    more: &RunTotals,
                ) -> Result<()> {
                    self.add_run_totals(lease, run, more).await
                }

                async fn end_run(
                    &self,
                    lease: &Lease,
                    run: RunId,
                    end: &RunEnd,
                    now: Timestamp,
                ) -> Result<RunRecord> {
                    self.finish_run(lease, run, end, now).await
                }

                async fn last_complete_run(
                    &self,
                    connection: ConnectionId,
                ) -> Result<Option<RunRecord>> {
                    self.find_last_complete_run(connection).await
                }

                async fn runs(
                    &self,
                    connection: ConnectionId,
                    mode: Option<SyncMode>,
                    limit: usize,
                ) -> Result<Vec<RunRecord>> {
                    self.latest_runs(connection, mode, limit).await
                }

                async fn remap(&self, lease: &Lease, mapping: &Mapping) -> Result<u64> {
                    self.remap_events(lease, mapping).await
                }

                async fn set_time_zone(&self, lease: &Lease, time_zone: &str) -> Result<()> {
                    self.rebuild_counts(lease, time_zone).await
                }

                async fn put_event_definitions(
                    &self,
                    lease: &Lease,
                    definitions: &[EventDefinition],
                ) -> Result<()> {
                    self.replace_definitions(lease, definitions).await
                }

                async fn remove_events(&self, lease: &Lease, uuids: &[Uuid]) -> Result<u64> {
                    self.delete_events(lease, uuids).await
                }

                async fn expire_events(&self, lease: &Lease, before: Timestamp) -> Result<u64> {
                    self.delete_expired(lease, before).await
                }

                async fn remove_left_epochs(
                    &self,
                    lease: &Lease,
                    before: Timestamp,
                ) -> Result<u64> {
                    self.remove_left(lease, before).await
                }

                async fn expire_runs(&self, lease: &Lease, before: Timestamp) -> Result<u64> {
                    self.delete_expired_runs(lease, before).await
                }

                async fn count_by_utc_day(
                    &self,
                    connection: ConnectionId,
                    from: Date,
                    to: Date,
                ) -> Result<Vec<(Date, u64)>> {
                    self.utc_day_counts(STORED, connection, from, to).await
                }

                async fn uuids_of_utc_day(
                    &self,
                    connection: ConnectionId,
                    day: Date,
                    arrived_before: Timestamp,
                ) -> Result<Vec<Uuid>> {
                    self.utc_day_uuids(STORED, connection, day, arrived_before)
                        .await
                }
            }
        }
    };
}
pub(crate) use sync_store;
