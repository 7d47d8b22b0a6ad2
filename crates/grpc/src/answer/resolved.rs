//! What ids were resolved to, packed as its message is, and cut down to what one answer can hold.
//!
//! A thousand identities are some ten thousand texts, most of which lie in a graph in memory: to make messages
//! of them first, each text in memory of its own, takes longer than to resolve them.

use bytes::{Bytes, BytesMut};
use domain::identity::{
    AskedMerge, IdentityAnswer, IdentityKey, IdentityLink, IdentityStatus, MergeOutcome,
};

use super::fields::{Fields, buffer};
use super::identity::evidence;
use crate::proto::v1::asked_merge::Outcome;
use crate::proto::v1::resolved_identity::Status;

/// Bytes for everything beyond the keys themselves. Clients refuse messages over 4 MiB by
/// default, and the keys of a request, which are repeated here, take up to 1 MiB.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Packs the identities of one answer.
pub(crate) struct PackedIdentities {
    /// What all of them share.
    buffer: BytesMut,
    /// Bytes that the others may take.
    left: usize,
}

/// How much of an identity is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// All but its evidence and merges.
    Lists,
    /// Who it is, and no list.
    Name,
}

impl PackedIdentities {
    /// Has packed none yet.
    pub(crate) fn new() -> Self {
        Self {
            buffer: buffer(),
            left: MAX_BYTES,
        }
    }

    /// Makes room for identities that others packed, if there is any.
    pub(crate) fn has_room<'a>(&mut self, mut packed: impl Iterator<Item = &'a Bytes>) -> bool {
        let left = packed.try_fold(self.left, |left, it| left.checked_sub(it.len()));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// An identity: what a [`ResolvedIdentity`](crate::proto::v1::ResolvedIdentity) of it is packed into. One that no longer
    /// fits loses its evidence and merges first, then its lists, and is marked as truncated.
    pub(crate) fn pack<T: AsRef<str>>(&mut self, answer: &IdentityAnswer<T>) -> Bytes {
        for extent in [Extent::Whole, Extent::Lists] {
            pack(answer, extent, self.left, &mut Fields(&mut self.buffer));
            if let Some(left) = self.left.checked_sub(self.buffer.len()) {
                self.left = left;
                return self.buffer.split().freeze();
            }
            self.buffer.clear();
        }
        pack(answer, Extent::Name, 0, &mut Fields(&mut self.buffer));
        self.buffer.split().freeze()
    }
}

/// How an id was resolved, as the API says it.
pub(crate) fn resolved_status(status: IdentityStatus) -> Status {
    match status {
        IdentityStatus::Resolved => Status::Resolved,
        IdentityStatus::Conflict => Status::Conflict,
        IdentityStatus::Shared => Status::Shared,
        IdentityStatus::Unknown => Status::Unknown,
    }
}

/// Writes fields by their numbers in `identity_service.proto`; of links no more than it takes to see that all
/// do not fit into `most` bytes.
fn pack<T: AsRef<str>>(
    answer: &IdentityAnswer<T>,
    extent: Extent,
    most: usize,
    to: &mut Fields<'_>,
) {
    to.nested(1, |to| pack_key(&answer.key, to));
    to.enumerated(2, resolved_status(answer.status).into());
    if let Some(customer) = &answer.primary_customer_id {
        to.text(3, customer.as_ref());
    }
    if extent != Extent::Name {
        to.texts(4, &answer.customer_ids);
        for person in &answer.persons {
            to.uuid(5, person);
        }
        to.texts(6, &answer.distinct_ids);
        to.texts(7, &answer.anonymous_ids);
        to.texts(8, &answer.emails);
    }
    if extent == Extent::Whole {
        for link in &answer.evidence {
            if to.0.len() > most {
                return;
            }
            to.nested(9, |to| pack_link(link, to));
        }
    }
    to.number(10, (answer.truncated || extent != Extent::Whole).into());
    if extent != Extent::Name {
        to.texts(11, &answer.shared_distinct_ids);
    }
    if extent == Extent::Whole {
        for merge in &answer.merges {
            to.nested(12, |to| pack_merge(merge, to));
        }
    }
}

/// Writes fields by their numbers in `IdentityKey` of `identity.proto`.
fn pack_key<T: AsRef<str>>(key: &IdentityKey<T>, to: &mut Fields<'_>) {
    match key.borrowed() {
        IdentityKey::DistinctId(id) => to.text(1, id),
        IdentityKey::Person(id) => to.uuid(2, &id),
        IdentityKey::CustomerId(id) => to.text(3, id),
        IdentityKey::AnonymousId(id) => to.text(4, id),
        IdentityKey::Email(address) => to.text(5, address),
    }
}

/// Writes fields by their numbers in `IdentityLink` of `identity.proto`.
fn pack_link<T: AsRef<str>>(link: &IdentityLink<T>, to: &mut Fields<'_>) {
    let (evidence, property) = evidence(link.evidence.borrowed());
    to.text_unless_empty(1, link.distinct_id.as_ref());
    to.nested(2, |to| pack_key(&link.to, to));
    to.enumerated(3, evidence.into());
    to.text_unless_empty(4, property);
    to.instant(5, link.valid_from);
    if let Some(ended) = link.valid_to {
        to.instant(6, ended);
    }
    to.instant(7, link.last_seen);
}

/// Writes fields by their numbers in `AskedMerge` of `identity_service.proto`.
fn pack_merge<T: AsRef<str>>(merge: &AskedMerge<T>, to: &mut Fields<'_>) {
    let outcome = match merge.outcome {
        MergeOutcome::Accepted => Outcome::Accepted,
        MergeOutcome::Refused => Outcome::Refused,
        MergeOutcome::Unknown => Outcome::Unknown,
    };
    to.nested(1, |to| pack_link(&merge.link, to));
    to.enumerated(2, outcome.into());
}

#[cfg(test)]
mod tests;
