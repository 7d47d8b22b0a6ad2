//! From an id to a person, and the erasure of one in every epoch of a connection.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Erased, ErasedPerson};
use crate::connection::{ConnectionId, ConnectionName};
use crate::event::without_nul;
use crate::identity::{IdentityKey, MOST_LINKS};
use crate::storage::{ErasureStore, IdentityReader, StoreError};

/// Why nobody was erased.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// There are no rows that could be erased.
    #[error("there is no connection {0}, and nothing is stored of one")]
    NoConnection(ConnectionName),
    /// The store did not do it. What was erased stays erased, and another call goes on.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Erases whoever `key` means from everything that is stored of the connection, deleted or not: see
/// [`ErasureStore`]. A distinct id or person that is not known is refused from then on all the same.
/// Interrupted, it goes on when it is called again, and with the connection's next run.
///
/// # Errors
/// [`ErasureError`].
pub async fn erase<S>(
    store: &S,
    name: &ConnectionName,
    key: &IdentityKey,
    now: Timestamp,
) -> Result<Erased, ErasureError>
where
    S: ErasureStore + IdentityReader + ?Sized,
{
    let mut erased = Erased::default();
    for id in epochs(store, name).await? {
        erased.events += store.finish_erasures(id).await?;
        loop {
            let (person, is_whole) = person_of(store, id, key).await?;
            if !person.is_nobody() {
                erased += store.begin_erasure(id, &person, now).await?;
                erased.events += store.finish_erasures(id).await?;
            }
            if is_whole {
                break;
            }
        }
    }
    Ok(erased)
}

/// Goes on with every erasure in a connection that was interrupted.
///
/// # Errors
/// [`ErasureError`].
pub async fn resume<S>(store: &S, name: &ConnectionName) -> Result<Erased, ErasureError>
where
    S: ErasureStore + ?Sized,
{
    let mut erased = Erased::default();
    for id in epochs(store, name).await? {
        erased.events += store.finish_erasures(id).await?;
    }
    Ok(erased)
}

/// What [`erase`] would remove now.
///
/// # Errors
/// [`ErasureError`].
pub async fn preview<S>(
    store: &S,
    name: &ConnectionName,
    key: &IdentityKey,
) -> Result<Erased, ErasureError>
where
    S: ErasureStore + IdentityReader + ?Sized,
{
    let mut found = Erased::default();
    for id in epochs(store, name).await? {
        let (person, _) = person_of(store, id, key).await?;
        found += store.erasable(id, &person).await?;
    }
    Ok(found)
}

pub(super) async fn epochs<S: ErasureStore + ?Sized>(
    store: &S,
    name: &ConnectionName,
) -> Result<Vec<ConnectionId>, ErasureError> {
    let epochs = store.epochs_of(name).await?;
    if epochs.is_empty() {
        return Err(ErasureError::NoConnection(name.clone()));
    }
    Ok(epochs)
}

/// Whom `key` means in an epoch, and whether that is all: a customer id that more than [`MOST_LINKS`]
/// distinct ids carry is found piece by piece, as the pieces are erased.
///
/// A distinct id leads to its person, a customer id or e-mail to the persons of the distinct ids that
/// carry it, and a person to all of its distinct ids. Whose a distinct id is when PostHog has deleted its
/// person, its last link tells; one that never had a link leads to nobody, though a person whom its events
/// name leads to it. Nobody else who shares an id with these is meant.
pub(super) async fn person_of<S>(
    store: &S,
    id: ConnectionId,
    key: &IdentityKey,
) -> Result<(ErasedPerson, bool), StoreError>
where
    S: ErasureStore + IdentityReader + ?Sized,
{
    let mut is_whole = true;
    let mut ids: BTreeSet<String> = BTreeSet::new();
    match key.folded().map(Cow::into_owned) {
        IdentityKey::DistinctId(distinct_id) => {
            ids.insert(without_nul(&distinct_id).into_owned());
        }
        IdentityKey::Person(person) => {
            let person = ErasedPerson {
                persons: vec![person],
                distinct_ids: Vec::new(),
            };
            return Ok((person, is_whole));
        }
        value => {
            let links = store.links_of(id, &[value], MOST_LINKS).await?;
            is_whole = links.len() < MOST_LINKS;
            ids.extend(links.into_iter().map(|link| link.distinct_id));
        }
    }
    let mut person = ErasedPerson {
        persons: Vec::new(),
        distinct_ids: ids.into_iter().collect(),
    };
    person.persons = store.belonging(id, &person).await?.persons;
    Ok((person, is_whole))
}
