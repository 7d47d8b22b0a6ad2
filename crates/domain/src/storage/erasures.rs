//! Persons whose data was erased, and what keeps it from coming back.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{Lease, Result};
use crate::connection::{ConnectionId, ConnectionName};
use crate::erasure::{Erased, ErasedPerson};

/// Storage of erasures; [`crate::erasure::erase`] is the way to use it.
///
/// A distinct id that was erased is refused from then on: [`super::SyncStore::apply_page`] stores no
/// event of it, nor one that PostHog gives an erased person, and
/// [`super::IdentityWriter::observe_persons`] no link; [`super::CohortWriter::put_members`] makes no
/// erased person a member. A distinct id that PostHog comes to map to an erased person is erased as
/// well, and so is a person all of whose links, ended ones included, were those of erased distinct ids:
/// who was merged into the person. Of an erased distinct id only a keyed hash is kept once its rows
/// are gone, of a person the uuid, and of an event its uuid and times, so that a recount knows that it
/// is not missing.
///
/// A distinct id belongs to the person of its link. One that has none any more, as when PostHog deleted
/// the person and kept the events, belongs to the person of the link that ended last: erasures come after
/// such a deletion too. One that has moved on belongs to nobody that it was linked to before. One that has
/// no link now belongs to the persons of its events as well, for readers are answered these: PostHog maps
/// visitors without a profile to nobody.
#[async_trait]
pub trait ErasureStore: Send + Sync {
    /// Every epoch of a connection in which rows may be, whether it is deleted or not.
    async fn epochs_of(&self, name: &ConnectionName) -> Result<Vec<ConnectionId>>;

    /// The persons to whom these distinct ids belong by a link, and the distinct ids that belong to these
    /// persons by a link or by their events.
    async fn belonging(
        &self,
        connection: ConnectionId,
        person: &ErasedPerson,
    ) -> Result<ErasedPerson>;

    /// What erasing a person would remove now.
    async fn erasable(&self, connection: ConnectionId, person: &ErasedPerson) -> Result<Erased>;

    /// From now on nothing of the person comes in, and its links and stays in cohorts are gone; its
    /// events are removed by [`ErasureStore::finish_erasures`]. No lease is needed: a run that is going
    /// on obeys at its next page. Distinct ids that belong to the persons are erased with them. Doing it
    /// again is no error, and removes what is there again.
    async fn begin_erasure(
        &self,
        connection: ConnectionId,
        person: &ErasedPerson,
        now: Timestamp,
    ) -> Result<Erased>;

    /// Removes the events of every person whose erasure has begun, in batches, each with a change
    /// sequence number, and then forgets the distinct ids. With their clicks go the texts and addresses of
    /// all elements in the clickmaps of those days, until they are made anew. Returns how many events there
    /// were. Cut off, it goes on when it is called again.
    async fn finish_erasures(&self, connection: ConnectionId) -> Result<u64>;

    /// The UTC days of `[from, to)` that have events which are erased here, with their number, by day.
    async fn erased_by_utc_day(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<(Date, u64)>>;

    /// The uuids of the events of one UTC day that are erased here and that PostHog took in (`created_at`)
    /// before this.
    async fn erased_uuids_of_utc_day(
        &self,
        connection: ConnectionId,
        day: Date,
        arrived_before: Timestamp,
    ) -> Result<Vec<Uuid>>;

    /// Forgets erased events that PostHog no longer has either. Returns how many there were.
    async fn forget_erased(&self, lease: &Lease, uuids: &[Uuid]) -> Result<u64>;
}
