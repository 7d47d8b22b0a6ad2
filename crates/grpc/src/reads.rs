//! What all services share: the store, the keys of page tokens and the settings.

use std::sync::Arc;

use bytes::Bytes;
use domain::identity::{IdentityAnswer, IdentityKey, resolve};
use domain::storage::{
    ClickmapReader, CohortReader, CompletenessStore, ConnectionStore, EpochRecord, ErasureStore,
    EventFilter, EventKey, EventReader, EventRow, IdentityReader, SyncStore,
};
use domain::{ConnectionId, ConnectionName};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::access::{self, Readable};
use crate::answer::PackedIdentities;
use crate::errors::ApiError;
use crate::graphs::Graphs;
use crate::paging::{Filling, Page};
use crate::settings::Settings;
use crate::token::{Scope, TokenKeys};

/// What the services ask of a store. They only read, but for erasures; of [`SyncStore`] they use the
/// list of runs.
pub trait ReadStore:
    ConnectionStore
    + EventReader
    + IdentityReader
    + ClickmapReader
    + CompletenessStore
    + SyncStore
    + ErasureStore
    + CohortReader
{
}

impl<T> ReadStore for T where
    T: ConnectionStore
        + EventReader
        + IdentityReader
        + ClickmapReader
        + CompletenessStore
        + SyncStore
        + ErasureStore
        + CohortReader
        + ?Sized
{
}

/// Shared by all services of one server.
pub(crate) struct Reads<S: ?Sized> {
    /// Where everything is read.
    pub(crate) store: Arc<S>,
    /// Where ids are resolved, if they can be.
    pub(crate) graphs: Graphs<S>,
    /// What signs page tokens.
    pub(crate) tokens: Arc<TokenKeys>,
    /// Limits and pauses.
    pub(crate) settings: Settings,
    /// Cancelled when the server drains.
    pub(crate) draining: CancellationToken,
}

// Derived `Clone` would ask it of `S`.
impl<S: ?Sized> Clone for Reads<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            graphs: self.graphs.clone(),
            tokens: Arc::clone(&self.tokens),
            settings: self.settings.clone(),
            draining: self.draining.clone(),
        }
    }
}

impl<S: ReadStore + ?Sized> Reads<S> {
    /// The connection, if it may be read.
    pub(crate) async fn open(&self, name: &ConnectionName) -> Result<Readable, ApiError> {
        access::open(&*self.store, name).await
    }

    /// Where the page of `token` begins; at the beginning without one.
    pub(crate) async fn cursor<C: DeserializeOwned>(
        &self,
        scope: &Scope,
        token: &str,
    ) -> Result<Option<C>, ApiError> {
        if token.is_empty() {
            return Ok(None);
        }
        let cursor = self.tokens.verify(&*self.store, scope, token).await?;
        Ok(Some(cursor))
    }

    /// A page of the events that pass `filter` after a place, each as `message` tells it while the
    /// store is at the next.
    pub(crate) async fn event_page<M: Message>(
        &self,
        epoch: ConnectionId,
        filter: &EventFilter,
        after: Option<EventKey>,
        size: usize,
        mut message: impl FnMut(EventRow<&str>) -> M + Send,
    ) -> Result<Page<M, EventKey>, ApiError> {
        let mut page = Filling::new(size);
        let mut take = |row: EventRow<&str>| page.offer(row.key(), || message(row));
        self.store
            .each_event(epoch, filter, after, size + 1, &mut take)
            .await?;
        Ok(page.end())
    }

    /// The token of the page after `last`; empty when there is none.
    pub(crate) async fn next_token(
        &self,
        scope: &Scope,
        last: Option<&impl Serialize>,
    ) -> Result<String, ApiError> {
        match last {
            Some(last) => self.tokens.sign(&*self.store, scope, last).await,
            None => Ok(String::new()),
        }
    }
}

impl<S: ReadStore + ?Sized + 'static> Reads<S> {
    /// What belongs together with each of `keys`, in their order.
    pub(crate) async fn resolve(
        &self,
        epoch: &EpochRecord,
        keys: &[IdentityKey],
    ) -> Result<Vec<IdentityAnswer>, ApiError> {
        let held = self.graphs.resolve(epoch, keys, || IdentityAnswer::owned);
        self.resolve_rest(epoch, keys, held, |answer| answer).await
    }

    /// The same, each packed.
    pub(crate) async fn resolve_packed(
        &self,
        epoch: &EpochRecord,
        keys: &[IdentityKey],
    ) -> Result<Vec<Bytes>, ApiError> {
        let held = self.graphs.resolve(epoch, keys, || {
            let mut packed = PackedIdentities::new();
            move |answer: IdentityAnswer<&str>| packed.pack(&answer)
        });
        let mut packed = PackedIdentities::new();
        if !packed.has_room(held.iter().flatten()) {
            let answers = self.resolve(epoch, keys).await?;
            return Ok(answers.iter().map(|answer| packed.pack(answer)).collect());
        }
        self.resolve_rest(epoch, keys, held, |answer| packed.pack(&answer))
            .await
    }

    /// Asks the store about those of `keys` that are not `held` in memory.
    async fn resolve_rest<A>(
        &self,
        epoch: &EpochRecord,
        keys: &[IdentityKey],
        mut held: Vec<Option<A>>,
        take: impl FnMut(IdentityAnswer) -> A,
    ) -> Result<Vec<A>, ApiError> {
        let rest = keys.iter().zip(&held).filter(|(_, held)| held.is_none());
        let rest: Vec<IdentityKey> = rest.map(|(key, _)| key.clone()).collect();
        self.graphs.count(keys.len() - rest.len(), keys.len());
        if !rest.is_empty() {
            let found = resolve(&*self.store, epoch.id, &rest).await?;
            let mut found = found.into_iter().map(take);
            for answer in held.iter_mut().filter(|held| held.is_none()) {
                *answer = found.next();
            }
        }
        Ok(held.into_iter().flatten().collect())
    }
}
