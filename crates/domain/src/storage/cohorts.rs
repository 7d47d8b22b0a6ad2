//! Cohorts: written from what PostHog lists and counts, read as members, changes and memberships.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Lease, Result};
use crate::cohorts::{Cohort, CohortBucket, CohortDigest, CohortId, CohortMark};
use crate::connection::ConnectionId;

/// A cohort as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortRecord {
    /// As PostHog last listed it.
    pub cohort: Cohort,
    /// How many members are stored.
    pub members: u64,
    /// The last time that all of its members were known to be stored; absent before the first.
    pub read: Option<CohortRead>,
    /// When PostHog was seen not to list it any more.
    pub deleted_at: Option<Timestamp>,
}

/// A state of a cohort that is stored whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortRead {
    /// When it was compared with PostHog's.
    pub at: Timestamp,
    /// What PostHog had said of it before.
    pub mark: CohortMark,
}

/// Some buckets of a cohort, or all of them, with everybody in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortPart {
    /// The cohort; it must have been listed.
    pub cohort: CohortId,
    /// The buckets that were read; absent when all were.
    pub buckets: Option<BTreeSet<CohortBucket>>,
    /// Their members: nobody else of these buckets is one.
    pub members: BTreeSet<Uuid>,
}

/// What storing members did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MembersMoved {
    /// Persons who were no members.
    pub entered: u64,
    /// Persons who are no members any more.
    pub left: u64,
}

/// A person who is in a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortMember {
    /// The person.
    pub person_id: Uuid,
    /// When it was first observed here; of somebody who left and came back, the last time.
    pub entered_at: Timestamp,
}

/// One of a cohort's members, found by [`CohortReader::memberships`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The cohort.
    pub cohort: CohortId,
    /// The person.
    pub person_id: Uuid,
    /// When it was first observed here.
    pub entered_at: Timestamp,
}

/// What happened to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CohortMove {
    /// It is a member of that cohort from now on.
    Entered(CohortId),
    /// It is none any more.
    Left(CohortId),
    /// It was erased, and is a member of no cohort any more. Of which it was one is not kept, nor are
    /// its earlier changes.
    Erased,
}

impl CohortMove {
    /// The cohort whose members changed; absent where it may be any.
    #[must_use]
    pub fn cohort(self) -> Option<CohortId> {
        match self {
            Self::Entered(cohort) | Self::Left(cohort) => Some(cohort),
            Self::Erased => None,
        }
    }
}

/// A change of cohorts' members, in the order in which followers must apply them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortChange {
    /// The change's number: strictly ascending within an epoch, gaps allowed. A sequence of its own,
    /// not that of events or of person mappings.
    pub seq: i64,
    /// The person.
    pub person_id: Uuid,
    /// What happened.
    pub kind: CohortMove,
    /// When it was observed.
    pub at: Timestamp,
}

/// How far the history of changes reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CohortHistory {
    /// The number of the latest change; 0 before the first.
    pub latest: i64,
    /// The greatest number of a change that retention removed; 0 before the first. Whoever has applied
    /// changes up to a lesser number, beginning before that one was removed, may not learn that
    /// somebody left. Whoever begins anew misses nothing: with a person's leaving, its entering went.
    pub forgotten: i64,
}

/// Writing cohorts.
#[async_trait]
pub trait CohortWriter: Send + Sync {
    /// Takes note of the cohorts as PostHog lists them at `observed_at`. One that is not listed any
    /// more is marked deleted; its members stay until they are taken out by
    /// [`CohortWriter::put_members`]. Unchanged ones write nothing. Returns all, deleted ones too, by id.
    async fn put_cohorts(
        &self,
        lease: &Lease,
        listed: &[Cohort],
        observed_at: Timestamp,
    ) -> Result<Vec<CohortRecord>>;

    /// Stores the members of a part, their changes and their digests, in one transaction. Members that
    /// stay are not written; a part that is stored already changes nothing. Who was erased
    /// ([`super::ErasureStore`]) becomes no member, and is in the digests nevertheless: they are of what
    /// PostHog has.
    async fn put_members(
        &self,
        lease: &Lease,
        part: &CohortPart,
        observed_at: Timestamp,
    ) -> Result<MembersMoved>;

    /// Notes that all members of these cohorts are stored.
    async fn cohorts_read(&self, lease: &Lease, read: &[(CohortId, CohortRead)]) -> Result<()>;

    /// Removes what was over before `before` (retention): of members who left then, both changes;
    /// of cohorts that were deleted then, all. In batches. Returns how many members there were.
    async fn expire_cohort_changes(&self, lease: &Lease, before: Timestamp) -> Result<u64>;
}

/// Reading cohorts. A connection that is not in the store has none.
#[async_trait]
pub trait CohortReader: Send + Sync {
    /// Cohorts by id, deleted ones only when asked for, after an id.
    async fn cohorts(
        &self,
        connection: ConnectionId,
        with_deleted: bool,
        after: Option<CohortId>,
        limit: usize,
    ) -> Result<Vec<CohortRecord>>;

    /// The cohort of that id, deleted or not.
    async fn cohort(&self, connection: ConnectionId, id: CohortId) -> Result<Option<CohortRecord>>;

    /// What each bucket of a cohort came to when it was stored: its members, and erased persons whom
    /// PostHog had in it. Buckets that had nobody are absent.
    async fn bucket_digests(
        &self,
        connection: ConnectionId,
        cohort: CohortId,
    ) -> Result<BTreeMap<CohortBucket, CohortDigest>>;

    /// Members by (bucket, id), after a person in that order, `limit` at most.
    async fn cohort_members(
        &self,
        connection: ConnectionId,
        cohort: CohortId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<CohortMember>>;

    /// Which of these persons are members of these cohorts, ordered. There may be some thousands of
    /// pairs of both.
    async fn memberships(
        &self,
        connection: ConnectionId,
        cohorts: &[CohortId],
        persons: &[Uuid],
    ) -> Result<Vec<Membership>>;

    /// Changes after `seq` in ascending order, `limit` at most.
    async fn cohort_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<CohortChange>>;

    /// How far the history of changes reaches.
    async fn cohort_history(&self, connection: ConnectionId) -> Result<CohortHistory>;
}
