//! Links between ids: written from person mappings, read by whoever resolves identities.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Lease, Result};
use crate::connection::ConnectionId;
use crate::identity::{IdentityFact, IdentityKey, IdentityLink};

/// PostHog's word that a distinct id belongs to a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonMapping {
    /// The distinct id.
    pub distinct_id: String,
    /// The person.
    pub person_id: Uuid,
}

/// Which distinct ids a read of mappings covered: those missing from it have no person any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadRange {
    /// Only the ids that were answered; says nothing of others.
    Answered,
    /// Exactly these ids.
    Ids(Vec<String>),
    /// All ids after the first bound (excluded) up to the second (included), in byte order;
    /// an absent bound is open.
    Span {
        /// Excluded lower bound.
        after: Option<String>,
        /// Included upper bound.
        through: Option<String>,
    },
}

/// A read of all of `person_distinct_ids` that has begun and is not done: it may take several runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonsReading {
    /// When it began: what it has told of any distinct id is no older.
    pub began: Timestamp,
    /// It has read every distinct id up to this one (included, in byte order); absent where it begins.
    pub through: Option<String>,
    /// Until when it is left alone.
    pub paused_until: Option<Timestamp>,
}

/// A place in the order of links: (distinct id, linked key, evidence, start).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkKey(pub String);

/// A change of one person mapping, in the order in which followers must apply them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChange {
    /// The change's number: strictly ascending within an epoch, gaps allowed. A sequence of its own,
    /// not that of events.
    pub seq: i64,
    /// The link as it is now: one that ended has `valid_to`.
    pub link: IdentityLink,
}

/// What happened to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// It holds, and is now this.
    Upsert(IdentityLink),
    /// PostHog moved or removed the mapping: the link as it was, with `valid_to`.
    Ended(IdentityLink),
    /// No stored event carries it any more.
    Gone(IdentityFact),
}

/// A change of a link that events carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactChange {
    /// The number, in the sequence of events, of the last change that may have caused it. Several
    /// links may have changed with one number.
    pub seq: i64,
    /// What happened.
    pub change: LinkChange,
}

/// Some changes of links that events carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FactChanges {
    /// In ascending order.
    pub changes: Vec<FactChange>,
    /// All changes up to this number are told with these.
    pub reached: i64,
    /// Whether that is all there is now.
    pub is_last: bool,
    /// Up to this number it is not known what has gone, as [`super::EpochRecord::facts_known_from`] was at
    /// this very moment: whoever has not come that far missed something.
    pub known_from: i64,
}

/// Writing person mappings. Links that events carry are kept by
/// [`super::SyncStore::apply_page`] itself.
#[async_trait]
pub trait IdentityWriter: Send + Sync {
    /// Takes note of mappings as PostHog has them at `observed_at`. A moved id's earlier link ends
    /// then and a new one begins; an unchanged one writes nothing. Returns how many links changed.
    async fn observe_persons(
        &self,
        lease: &Lease,
        mappings: &[PersonMapping],
        range: &ReadRange,
        observed_at: Timestamp,
    ) -> Result<u64>;

    /// Notes that all of `person_distinct_ids` was read at `at`. No read of them is under way any more.
    async fn persons_read(&self, lease: &Lease, at: Timestamp) -> Result<()>;

    /// Keeps how far a read of all of `person_distinct_ids` has come, for the next run. Its place is kept
    /// as that of a link, the last one up to there: an erased distinct id stays in no place.
    async fn keep_persons_reading(&self, lease: &Lease, reading: &PersonsReading) -> Result<()>;

    /// The read of all of `person_distinct_ids` that is under way. It may begin somewhat before the place
    /// that was kept; where the link of that place was erased since, at the first distinct id.
    async fn persons_reading(&self, connection: ConnectionId) -> Result<Option<PersonsReading>>;

    /// Sees to it that [`IdentityReader::persons_of_several_customers`] is answered from what is kept for
    /// it. Otherwise it is answered from all links after a change of the identity properties and after a
    /// read that brought many links. Does nothing where that is so already.
    async fn find_conflicts(&self, lease: &Lease) -> Result<()>;
}

/// Reading links. The resolution itself is [`crate::identity`]'s.
#[async_trait]
pub trait IdentityReader: Send + Sync {
    /// Current links that touch any of `keys`: links from those distinct ids, and links to those
    /// persons, customer ids, anonymous ids and e-mails. At most `limit`, ordered. There may be
    /// [`crate::identity::MOST_ASKED`] keys.
    async fn links_of(
        &self,
        connection: ConnectionId,
        keys: &[IdentityKey],
        limit: usize,
    ) -> Result<Vec<IdentityLink>>;

    /// The current links that events of these distinct ids carry, and those by which others name them:
    /// all that [`IdentityReader::links_of`] answers of them but their persons. At most `limit`, ordered.
    async fn links_carried(
        &self,
        connection: ConnectionId,
        distinct_ids: &[String],
        limit: usize,
    ) -> Result<Vec<IdentityLink>>;

    /// Links, ended ones too when `history`, strictly after `after`, `limit` at most, each with its place.
    async fn links(
        &self,
        connection: ConnectionId,
        history: bool,
        after: Option<&LinkKey>,
        limit: usize,
    ) -> Result<Vec<(LinkKey, IdentityLink)>>;

    /// Persons whose distinct ids carry more than one customer id between them now, by id, strictly
    /// after `after`, `limit` at most. Shared distinct ids are not left out.
    async fn persons_of_several_customers(
        &self,
        connection: ConnectionId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>>;

    /// Changes of person mappings after `seq` in ascending order, `limit` at most. Each link is told
    /// once, at the number of its last change, so that a moved id is told as a link that ended and then
    /// as one that began.
    async fn person_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<PersonChange>>;

    /// Changes of the links that events carry, after `seq` in the sequence of events; what follows
    /// from `limit` changes of events at most. A link may be told though it is as it was. Those that
    /// went are told from [`super::EpochRecord::facts_known_from`] on.
    async fn fact_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<FactChanges>;
}
