//! Connections as storage knows them: what is wanted, what was found, what is answered from.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Deletion, Purge, Result};
use crate::check::{CheckSummary, posthog_keeps_from};
use crate::clickmap::{ClickmapPolicy, ClickmapRules};
use crate::connection::{ConnectionId, ConnectionName, Epoch};
use crate::identity::IdProperty;
use crate::mapping::Mapping;
use crate::plan::PlanStanding;

/// What a connection's spec asks for, after validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredConnection {
    /// Its name.
    pub name: ConnectionName,
    /// Host and project.
    pub epoch: Epoch,
    /// Whether its workspace's plan admits it.
    pub plan: PlanStanding,
    /// Whether pulling is paused.
    pub suspended: bool,
    /// Days that the backfill covers.
    pub backfill_days: u32,
    /// Days after which events are removed.
    pub retention_days: u32,
    /// The properties that carry identities.
    pub id_properties: Vec<IdProperty>,
    /// What becomes of rows after a disconnect.
    #[serde(default)]
    pub deletion: Deletion,
    /// Whether clickmaps are made, and how.
    #[serde(default)]
    pub clickmaps: ClickmapPolicy,
}

/// A connection as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionRecord {
    /// What is wanted.
    pub desired: DesiredConnection,
    /// The epoch that `desired` asks for.
    pub target: ConnectionId,
    /// The epoch that reads are answered from: the target, or the one before it until the
    /// target's backfill is complete.
    pub serving: ConnectionId,
    /// What the last successful check found.
    pub check: Option<CheckSummary>,
    /// Why the last check or run failed; absent after a success.
    pub failure: Option<ConnectionFailure>,
    /// When it was disconnected; reads stop then.
    pub deleted_at: Option<Timestamp>,
}

impl ConnectionRecord {
    /// The last successful check, if it was of this epoch.
    #[must_use]
    pub fn check_of(&self, epoch: &Epoch) -> Option<&CheckSummary> {
        self.check.as_ref().filter(|check| {
            check.host.as_ref() == Some(&epoch.host) && check.project.id == epoch.project_id.get()
        })
    }

    /// The first UTC day of this epoch that recounts still tell of: verdicts of earlier ones are of a time
    /// when PostHog had them.
    #[must_use]
    pub fn counted_from(&self, epoch: &Epoch, now: Timestamp) -> Date {
        let check = self.check_of(epoch);
        let months = check.and_then(|check| check.project.event_retention_months);
        posthog_keeps_from(months, now)
    }
}

/// The last thing that went wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionFailure {
    /// The error's variant name: condition reason, event reason and metric label.
    pub reason: String,
    /// One sentence in the merchant's words, with the fix.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// One epoch of a connection: the owner of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRecord {
    /// The rows' owner.
    pub id: ConnectionId,
    /// Which of the owner's lives this is: after a purge the same connection begins another, with change
    /// numbers of its own. A store gives no number twice.
    pub life: i64,
    /// Host and project.
    pub epoch: Epoch,
    /// The zone whose days the daily counts are of; absent before the first run.
    pub time_zone: Option<String>,
    /// The mapping that every stored row is assigned by; absent before the first run.
    pub mapping: Option<Mapping>,
    /// Goes up whenever `mapping`, `time_zone` or `clickmap_rules` changed what is answered; page tokens are bound to it.
    pub mapping_revision: i64,
    /// The greatest change sequence number given so far; 0 before the first change.
    pub change_seq: i64,
    /// The greatest change number of a person mapping; 0 before the first.
    pub link_seq: i64,
    /// In the sequence of events: up to this change it is not known any more which links that events
    /// carried have gone. Followers that have not come this far begin anew.
    pub facts_known_from: i64,
    /// The properties that carry identities.
    pub id_properties: Vec<IdProperty>,
    /// When its backfill was complete.
    pub backfilled_at: Option<Timestamp>,
    /// When the whole of `person_distinct_ids` was last read.
    pub persons_read_at: Option<Timestamp>,
    /// The rules by which its clickmaps are made; absent while it has none.
    pub clickmap_rules: Option<ClickmapRules>,
}

/// Storage of connections.
#[async_trait]
pub trait ConnectionStore: Send + Sync {
    /// Makes `desired` the state wanted, adopting rows of an earlier life of the same epoch and
    /// reviving a deleted connection. A first epoch serves at once; another one serves only
    /// after [`ConnectionStore::serve_epoch`]. Writing the same again changes nothing.
    async fn put_connection(
        &self,
        desired: &DesiredConnection,
        now: Timestamp,
    ) -> Result<ConnectionRecord>;

    /// The connection of that name, deleted or not.
    async fn connection(&self, name: &ConnectionName) -> Result<Option<ConnectionRecord>>;

    /// The connection of that name, deleted or not, and the epoch that it is served from, both of
    /// one moment. Only of a connection that was purged is the epoch absent.
    async fn served(
        &self,
        name: &ConnectionName,
    ) -> Result<Option<(ConnectionRecord, Option<EpochRecord>)>>;

    /// Living connections by (namespace, name), of one namespace or all, after a name.
    async fn connections(
        &self,
        namespace: Option<&str>,
        after: Option<&ConnectionName>,
        limit: usize,
    ) -> Result<Vec<ConnectionRecord>>;

    /// The owner of rows `id`.
    async fn epoch(&self, id: ConnectionId) -> Result<Option<EpochRecord>>;

    /// Records what a successful check found and clears the failure.
    async fn record_check(&self, name: &ConnectionName, check: &CheckSummary) -> Result<()>;

    /// Records why a check or run failed; `None` clears it.
    async fn record_failure(
        &self,
        name: &ConnectionName,
        failure: Option<&ConnectionFailure>,
    ) -> Result<()>;

    /// Moves reads to `id`, whose backfill is complete.
    async fn serve_epoch(
        &self,
        name: &ConnectionName,
        id: ConnectionId,
        now: Timestamp,
    ) -> Result<()>;

    /// Marks the connection deleted, so that reads stop; rows stay until they are purged. The first
    /// time counts: marking again postpones nothing.
    async fn mark_deleted(&self, name: &ConnectionName, now: Timestamp) -> Result<()>;

    /// Connections with rows to remove: those deleted and due at `now`, and those whose purge was
    /// interrupted. By (namespace, name), strictly after `after`, `limit` at most.
    async fn purges_due(
        &self,
        now: Timestamp,
        after: Option<&ConnectionName>,
        limit: usize,
    ) -> Result<Vec<ConnectionName>>;

    /// Removes every row of every epoch of a connection that is deleted and due at `now`, and its
    /// record, in batches; an interrupted purge is finished by the next call. From its first
    /// moment on nobody finds what is being removed: a connection recreated meanwhile begins
    /// anew, and none of its rows go. One that is not in the store has nothing to remove.
    async fn purge_connection(&self, name: &ConnectionName, now: Timestamp) -> Result<Purge>;

    /// The keys that sign page tokens, newest first, 32 bytes each; made at the first call and
    /// the same for every process on this store.
    async fn page_token_keys(&self) -> Result<Vec<Vec<u8>>>;

    /// Whether the database answers and its schema is the one this program expects.
    async fn ping(&self) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_never_said_what_becomes_of_its_rows_keeps_them() {
        let stored = r#"{
            "name": {"namespace": "acme", "name": "shop"},
            "epoch": {"host": "https://eu.posthog.com", "project_id": 7},
            "plan": {"standing": "eligible", "plan": "starter"},
            "suspended": false, "backfillDays": 30, "retentionDays": 400, "idProperties": []
        }"#;
        let read: DesiredConnection = serde_json::from_str(stored).unwrap();
        assert_eq!(read.deletion, Deletion::Retain);
        assert_eq!(read.clickmaps, ClickmapPolicy::default());
    }
}
