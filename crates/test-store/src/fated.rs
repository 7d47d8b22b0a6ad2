//! A store as one process sees it that comes to a stand at one of its writes, and then perhaps dies
//! there: before the write, in the middle of it, or before it learns of the outcome.

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use domain::check::CheckSummary;
use domain::clickmap::ClickmapPolicy;
use domain::cohorts::{Cohort, CohortBucket, CohortDigest, CohortId};
use domain::erasure::{Erased, ErasedPerson};
use domain::event::EventName;
use domain::identity::{IdentityKey, IdentityLink};
use domain::mapping::{Candidate, OrderEvidence, StageRule};
use domain::storage::{
    BudgetKey, BudgetLimits, BudgetStore, Change, ClickedElementRow, ClickedPage, ClickmapReader,
    ClickmapSpan, ClickmapWriter, CohortChange, CohortHistory, CohortMember, CohortPart,
    CohortRead, CohortReader, CohortRecord, CohortWriter, CompletenessStore, ConnectionFailure,
    ConnectionRecord, ConnectionStore, DailyEventCount, DailyStageCount, DayVerdict,
    DesiredConnection, ElementPlace, EpochRecord, ErasureStore, EventDefinition, EventFilter,
    EventKey, EventReader, EventRow, FactChanges, Grant, IdentityReader, IdentityWriter, Lease,
    LinkKey, MembersMoved, Membership, NewRun, OpenRun, Page, PageOutcome, PagePlace, PersonChange,
    PersonMapping, PersonsReading, Purge, ReadRange, Result, RunEnd, RunId, RunRecord, Store,
    StoreError, SyncStore,
};
use domain::sync::{RunTotals, Slice, SyncMode};
use domain::{ConnectionId, ConnectionName, Mapping};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::Notify;
use uuid::Uuid;

/// What becomes of a process at its fateful write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    GoesOn,
    /// It dies and never writes.
    DiesBefore,
    /// It dies when the write has been polled so often.
    DiesWithin(usize),
    /// The write is done, and it dies without having learnt that.
    DiesAfter,
}

/// One process's way to the store. What is lent for a time, such as a slot of the budget, is no write: who
/// dies with it leaves nothing but that.
pub struct FatedStore {
    inner: Arc<dyn Store>,
    /// The write, from 0, at which it stands still.
    at: usize,
    fate: Fate,
    /// The call that the database does not carry out.
    refused: Option<&'static str>,
    writes: AtomicUsize,
    is_dead: AtomicBool,
    stands: Notify,
    may_go_on: Notify,
    died: Notify,
}

impl FatedStore {
    /// The way of a process that meets its fate at the write of that number, from 0 on.
    pub fn new(inner: Arc<dyn Store>, at: usize, fate: Fate) -> Arc<Self> {
        Arc::new(Self::to(inner, at, fate, None))
    }

    /// The way of a process that meets no fate, to a database that refuses this call each time, as when a
    /// statement takes longer than it is given.
    pub fn refusing(inner: Arc<dyn Store>, call: &'static str) -> Arc<Self> {
        Arc::new(Self::to(inner, usize::MAX, Fate::GoesOn, Some(call)))
    }

    fn to(inner: Arc<dyn Store>, at: usize, fate: Fate, refused: Option<&'static str>) -> Self {
        Self {
            inner,
            at,
            fate,
            refused,
            writes: AtomicUsize::new(0),
            is_dead: AtomicBool::new(false),
            stands: Notify::new(),
            may_go_on: Notify::new(),
            died: Notify::new(),
        }
    }

    /// Until the process stands at its fateful write.
    pub async fn stands(&self) {
        self.stands.notified().await;
    }

    /// Lets it meet its fate; said before it stands there, it will not stand still.
    pub fn go_on(&self) {
        self.may_go_on.notify_one();
    }

    /// Until it is dead.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    /// How many writes it has begun.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    async fn die<T>(&self) -> T {
        self.is_dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
        pending().await
    }

    fn check_refused(&self, call: &str) -> Result<()> {
        if self.refused == Some(call) {
            let detail = "a statement took longer than it is given".to_owned();
            return Err(StoreError::Unavailable { detail });
        }
        Ok(())
    }

    /// Tasks that outlive their process, as none does in life, get nothing done any more.
    fn check_alive(&self) -> Result<()> {
        if self.is_dead.load(Ordering::SeqCst) {
            let detail = "the process is dead".to_owned();
            return Err(StoreError::Unavailable { detail });
        }
        Ok(())
    }

    async fn read<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.check_alive()?;
        work.await
    }

    async fn lend<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.read(work).await
    }

    async fn write<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.check_alive()?;
        if self.writes.fetch_add(1, Ordering::SeqCst) != self.at {
            return work.await;
        }
        self.stands.notify_one();
        self.may_go_on.notified().await;
        match self.fate {
            Fate::GoesOn => work.await,
            Fate::DiesBefore => self.die().await,
            Fate::DiesWithin(polls) => {
                poll(work, polls).await;
                self.die().await
            }
            Fate::DiesAfter => {
                work.await?;
                self.die().await
            }
        }
    }
}

/// Polls so often at most, and drops what is not done then.
async fn poll<T>(work: impl Future<Output = T> + Send, mut polls: usize) {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(());
        }
        polls -= 1;
        work.as_mut().poll(context).map(drop)
    })
    .await;
}

macro_rules! pass_on {
    ($($trait:ident { $($kind:ident $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* })*) => {$(
        #[async_trait]
        impl $trait for FatedStore {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer> {
                self.check_refused(stringify!($name))?;
                self.$kind(self.inner.$name($($argument),*)).await
            })*
        }
    )*};
}

pass_on! {
    ConnectionStore {
        write put_connection(desired: &DesiredConnection, now: Timestamp) -> ConnectionRecord;
        read connection(name: &ConnectionName) -> Option<ConnectionRecord>;
        read served(name: &ConnectionName) -> Option<(ConnectionRecord, Option<EpochRecord>)>;
        read connections(namespace: Option<&str>, after: Option<&ConnectionName>, limit: usize) -> Vec<ConnectionRecord>;
        read epoch(id: ConnectionId) -> Option<EpochRecord>;
        write record_check(name: &ConnectionName, check: &CheckSummary) -> ();
        write record_failure(name: &ConnectionName, failure: Option<&ConnectionFailure>) -> ();
        write serve_epoch(name: &ConnectionName, id: ConnectionId, now: Timestamp) -> ();
        write mark_deleted(name: &ConnectionName, now: Timestamp) -> ();
        read purges_due(now: Timestamp, after: Option<&ConnectionName>, limit: usize) -> Vec<ConnectionName>;
        write purge_connection(name: &ConnectionName, now: Timestamp) -> Purge;
        read page_token_keys() -> Vec<Vec<u8>>;
        read ping() -> ();
    }
    SyncStore {
        write acquire_lease(connection: ConnectionId, holder: &str, ttl: Duration) -> Lease;
        write renew_lease(lease: &Lease, ttl: Duration) -> ();
        write release_lease(lease: &Lease) -> ();
        write release_all_of(holder: &str) -> u64;
        write begin_run(lease: &Lease, run: &NewRun) -> RunId;
        read open_run(connection: ConnectionId, mode: SyncMode) -> Option<OpenRun>;
        write apply_page(lease: &Lease, page: Page) -> PageOutcome;
        write split_slice(lease: &Lease, run: RunId, number: i64, parts: &[Slice]) -> ();
        write add_totals(lease: &Lease, run: RunId, more: &RunTotals) -> ();
        write end_run(lease: &Lease, run: RunId, end: &RunEnd, now: Timestamp) -> RunRecord;
        read last_complete_run(connection: ConnectionId) -> Option<RunRecord>;
        read runs(connection: ConnectionId, mode: Option<SyncMode>, limit: usize) -> Vec<RunRecord>;
        write remap(lease: &Lease, mapping: &Mapping) -> u64;
        write set_time_zone(lease: &Lease, time_zone: &str) -> ();
        write put_event_definitions(lease: &Lease, definitions: &[EventDefinition]) -> ();
        write remove_events(lease: &Lease, uuids: &[Uuid]) -> u64;
        write expire_events(lease: &Lease, before: Timestamp) -> u64;
        write remove_left_epochs(lease: &Lease, before: Timestamp) -> u64;
        write expire_runs(lease: &Lease, before: Timestamp) -> u64;
        read count_by_utc_day(connection: ConnectionId, from: Date, to: Date) -> Vec<(Date, u64)>;
        read uuids_of_utc_day(connection: ConnectionId, day: Date, arrived_before: Timestamp) -> Vec<Uuid>;
    }
    CompletenessStore {
        write put_verdicts(lease: &Lease, verdicts: &[DayVerdict]) -> ();
        read verdicts(connection: ConnectionId, from: Date, to: Date) -> Vec<DayVerdict>;
    }
    BudgetStore {
        lend take(key: &BudgetKey, limits: BudgetLimits, now: Timestamp, ttl: Duration) -> Grant;
        lend give_back(key: &BudgetKey, slot: i64) -> ();
        write note_throttle(key: &BudgetKey, now: Timestamp) -> bool;
        write pause(key: &BudgetKey, until: Timestamp) -> ();
    }
    EventReader {
        read each_event(connection: ConnectionId, filter: &EventFilter, after: Option<EventKey>, limit: usize, take: &mut (dyn for<'r> FnMut(EventRow<&'r str>) + Send)) -> ();
        read changes(connection: ConnectionId, seq: i64, limit: usize) -> Vec<Change>;
        read daily_event_counts(connection: ConnectionId, from: Date, to: Date, names: &[EventName]) -> Vec<DailyEventCount>;
        read daily_stage_counts(connection: ConnectionId, from: Date, to: Date) -> Vec<DailyStageCount>;
        read count_events(connection: ConnectionId, from: Timestamp, to: Timestamp) -> u64;
        read count_taken(connection: ConnectionId, rule: &StageRule, since: Timestamp, newest: usize) -> u64;
        read event_definitions(connection: ConnectionId, after: Option<&EventName>, limit: usize) -> Vec<EventDefinition>;
        read order_evidence(connection: ConnectionId, candidates: &[Candidate], since: Timestamp) -> Vec<OrderEvidence>;
        read distinct_ids_since(connection: ConnectionId, since: Timestamp, after: Option<&str>, limit: usize) -> Vec<String>;
    }
    IdentityReader {
        read links_of(connection: ConnectionId, keys: &[IdentityKey], limit: usize) -> Vec<IdentityLink>;
        read links_carried(connection: ConnectionId, distinct_ids: &[String], limit: usize) -> Vec<IdentityLink>;
        read links(connection: ConnectionId, history: bool, after: Option<&LinkKey>, limit: usize) -> Vec<(LinkKey, IdentityLink)>;
        read persons_of_several_customers(connection: ConnectionId, after: Option<Uuid>, limit: usize) -> Vec<Uuid>;
        read person_changes(connection: ConnectionId, seq: i64, limit: usize) -> Vec<PersonChange>;
        read fact_changes(connection: ConnectionId, seq: i64, limit: usize) -> FactChanges;
    }
    ErasureStore {
        read epochs_of(name: &ConnectionName) -> Vec<ConnectionId>;
        read belonging(connection: ConnectionId, person: &ErasedPerson) -> ErasedPerson;
        read erasable(connection: ConnectionId, person: &ErasedPerson) -> Erased;
        write begin_erasure(connection: ConnectionId, person: &ErasedPerson, now: Timestamp) -> Erased;
        write finish_erasures(connection: ConnectionId) -> u64;
        read erased_by_utc_day(connection: ConnectionId, from: Date, to: Date) -> Vec<(Date, u64)>;
        read erased_uuids_of_utc_day(connection: ConnectionId, day: Date, arrived_before: Timestamp) -> Vec<Uuid>;
        write forget_erased(lease: &Lease, uuids: &[Uuid]) -> u64;
    }
    IdentityWriter {
        write observe_persons(lease: &Lease, mappings: &[PersonMapping], range: &ReadRange, observed_at: Timestamp) -> u64;
        write persons_read(lease: &Lease, at: Timestamp) -> ();
        write keep_persons_reading(lease: &Lease, reading: &PersonsReading) -> ();
        read persons_reading(connection: ConnectionId) -> Option<PersonsReading>;
        write find_conflicts(lease: &Lease) -> ();
    }
    CohortReader {
        read cohorts(connection: ConnectionId, with_deleted: bool, after: Option<CohortId>, limit: usize) -> Vec<CohortRecord>;
        read cohort(connection: ConnectionId, id: CohortId) -> Option<CohortRecord>;
        read bucket_digests(connection: ConnectionId, cohort: CohortId) -> BTreeMap<CohortBucket, CohortDigest>;
        read cohort_members(connection: ConnectionId, cohort: CohortId, after: Option<Uuid>, limit: usize) -> Vec<CohortMember>;
        read memberships(connection: ConnectionId, cohorts: &[CohortId], persons: &[Uuid]) -> Vec<Membership>;
        read cohort_changes(connection: ConnectionId, seq: i64, limit: usize) -> Vec<CohortChange>;
        read cohort_history(connection: ConnectionId) -> CohortHistory;
    }
    CohortWriter {
        write put_cohorts(lease: &Lease, listed: &[Cohort], observed_at: Timestamp) -> Vec<CohortRecord>;
        write put_members(lease: &Lease, part: &CohortPart, observed_at: Timestamp) -> MembersMoved;
        write cohorts_read(lease: &Lease, read: &[(CohortId, CohortRead)]) -> ();
        write expire_cohort_changes(lease: &Lease, before: Timestamp) -> u64;
    }
    ClickmapWriter {
        write make_clickmaps(lease: &Lease, policy: &ClickmapPolicy) -> u64;
    }
    ClickmapReader {
        read clicked_pages(connection: ConnectionId, span: &ClickmapSpan, after: Option<&PagePlace>, limit: usize) -> Vec<ClickedPage>;
        read is_clicked_page(connection: ConnectionId, page: &str) -> bool;
        read clicked_elements(connection: ConnectionId, page: &str, span: &ClickmapSpan, after: Option<ElementPlace>, limit: usize) -> (ClickedPage, Vec<ClickedElementRow>);
    }
}
