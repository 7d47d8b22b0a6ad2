//! StreamIdentityChanges: every link that holds, then every change of one.
//!
//! What a property of events names is configuration, and looked up when links are read: with another
//! configuration other links hold without any change of the store's. So a stream lives only as long
//! as its configuration, and so do its tokens.

use domain::identity::{IdProperty, LinkPlace, links_after};
use domain::storage::EpochRecord;
use jiff::Timestamp;
use prost::Message;
use sha2::{Digest, Sha256};

use super::IdentityServer;
use crate::answer::{link_change, timestamp};
use crate::check::check_connection;
use crate::deadline::Deadline;
use crate::errors::ApiError;
use crate::following::{CHANGES_AT_ONCE, Changes, Follower, MESSAGE_BYTES, no_such_start};
use crate::proto::v1;
use crate::proto::v1::stream_identity_changes_request::Start;
use crate::reads::ReadStore;
use crate::token::{Scope, first_bits};

/// The changes of links.
pub(super) struct IdentityChanges {
    scope: Scope,
    id_properties: Vec<IdProperty>,
    place: LinkPlace,
    /// When all mappings had been read last.
    mappings_read: Option<Timestamp>,
}

impl<S: ReadStore + ?Sized + 'static> IdentityServer<S> {
    pub(super) async fn follow(
        &self,
        mut request: v1::StreamIdentityChangesRequest,
        deadline: Option<Deadline>,
    ) -> Result<Follower<S, IdentityChanges>, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let start = Start::try_from(request.start).map_err(|_| no_such_start(request.start))?;
        let token = std::mem::take(&mut request.resume_token);
        request.start = Start::Unspecified.into();

        let readable = self.reads.open(&name).await?;
        let epoch = &readable.epoch;
        let scope = Scope::resume("StreamIdentityChanges", &request, epoch)
            .under(revision(&epoch.id_properties)?);
        let place = match self.reads.cursor(&scope, &token).await? {
            Some(place) => place,
            None if start == Start::Now => LinkPlace::now(epoch),
            None => LinkPlace::beginning(epoch),
        };
        if place.is_lost(epoch) {
            return Err(scope.stale());
        }
        let changes = IdentityChanges {
            scope: scope.clone(),
            id_properties: epoch.id_properties.clone(),
            place,
            mappings_read: epoch.persons_read_at,
        };
        Ok(Follower::new(
            self.reads.clone(),
            readable,
            scope,
            changes,
            deadline,
        ))
    }
}

/// A number for a configuration: nobody gains by finding two alike.
fn revision(id_properties: &[IdProperty]) -> Result<i64, ApiError> {
    let written = serde_json::to_vec(id_properties).map_err(|error| ApiError::Internal {
        detail: format!("identity properties cannot be written: {error}"),
    })?;
    Ok(first_bits(&Sha256::digest(written)).cast_signed())
}

impl<S: ReadStore + ?Sized + 'static> Changes<S> for IdentityChanges {
    type Change = v1::IdentityLinkChange;
    type Message = v1::StreamIdentityChangesResponse;
    type Place = LinkPlace;

    async fn read(
        &mut self,
        store: &S,
        epoch: &EpochRecord,
    ) -> Result<(Vec<v1::IdentityLinkChange>, bool), ApiError> {
        if epoch.id_properties != self.id_properties || self.place.is_lost(epoch) {
            return Err(self.scope.stale());
        }
        self.mappings_read = epoch.persons_read_at;
        let batch = links_after(store, epoch.id, &self.place, CHANGES_AT_ONCE).await?;
        if batch.is_lost {
            return Err(self.scope.stale());
        }
        let mut told = Vec::new();
        let mut bytes = 0;
        let mut changes = batch.changes.into_iter().peekable();
        while let Some((change, place)) = changes.next() {
            let change = link_change(change);
            bytes += change.encoded_len();
            told.push(change);
            // Changes of one place are told together, or a resumed stream would miss some.
            if bytes >= MESSAGE_BYTES && changes.peek().is_some_and(|(_, next)| *next != place) {
                self.place = place;
                return Ok((told, false));
            }
        }
        self.place = batch.place;
        Ok((told, batch.caught_up))
    }

    fn place(&self) -> &LinkPlace {
        &self.place
    }

    fn message(
        &self,
        changes: Vec<v1::IdentityLinkChange>,
        resume_token: String,
        caught_up: bool,
    ) -> v1::StreamIdentityChangesResponse {
        v1::StreamIdentityChangesResponse {
            changes,
            resume_token,
            caught_up,
            mappings_read_time: self.mappings_read.map(timestamp),
        }
    }
}
