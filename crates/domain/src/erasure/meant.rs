//! Which kind of id a bare text is, for whoever does not say it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use uuid::Uuid;

use super::scope::{epochs, person_of};
use super::{ErasedPerson, ErasureError};
use crate::connection::{ConnectionId, ConnectionName};
use crate::event::without_nul;
use crate::identity::IdentityKey;
use crate::storage::{ErasureStore, EventFilter, EventReader, IdentityReader, StoreError};

/// What a bare text names in a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// Nobody who is known.
    Nobody,
    /// One person; of several kinds of id that lead there, the one that leads to most.
    One(IdentityKey),
    /// Different persons, each by another kind of id.
    Several(Vec<IdentityKey>),
}

/// Everything that a key leads to: which epoch, and a person or distinct id of it.
type Reached = BTreeSet<(ConnectionId, Result<Uuid, String>)>;

/// Whom `text` means: a person's uuid, a distinct id, a customer id or an e-mail address.
///
/// # Errors
/// [`ErasureError`].
pub async fn meant<S>(store: &S, name: &ConnectionName, text: &str) -> Result<Meant, ErasureError>
where
    S: ErasureStore + IdentityReader + EventReader + ?Sized,
{
    let epochs = epochs(store, name).await?;
    let mut known: Vec<(IdentityKey, Reached)> = Vec::new();
    for key in readings(text) {
        let mut reached = Reached::new();
        for id in &epochs {
            if is_known(store, *id, &key).await? {
                let (person, _) = person_of(store, *id, &key).await?;
                reached.extend(person.persons.into_iter().map(|it| (*id, Ok(it))));
                reached.extend(person.distinct_ids.into_iter().map(|it| (*id, Err(it))));
            }
        }
        if !reached.is_empty() {
            known.push((key, reached));
        }
    }
    let Some((most, all)) = known.iter().max_by_key(|(_, reached)| reached.len()) else {
        return Ok(Meant::Nobody);
    };
    // Persons decide: a distinct id is told beside its person, and not beside a customer id.
    let persons = |reached: &Reached| -> BTreeSet<(ConnectionId, Uuid)> {
        let of = |(id, it): &(ConnectionId, Result<Uuid, String>)| Some((*id, *it.as_ref().ok()?));
        reached.iter().filter_map(of).collect()
    };
    let within = |reached: &Reached| {
        reached.is_subset(all)
            || (!persons(reached).is_empty() && persons(reached).is_subset(&persons(all)))
    };
    Ok(if known.iter().all(|(_, reached)| within(reached)) {
        Meant::One(most.clone())
    } else {
        Meant::Several(known.into_iter().map(|(key, _)| key).collect())
    })
}

fn readings(text: &str) -> Vec<IdentityKey> {
    let mut readings = vec![
        IdentityKey::DistinctId(text.to_owned()),
        IdentityKey::CustomerId(text.to_owned()),
    ];
    if let Ok(person) = Uuid::try_parse(text) {
        readings.push(IdentityKey::Person(person));
    }
    if text.contains('@') {
        readings.push(IdentityKey::Email(text.to_owned()));
    }
    readings
}

async fn is_known<S>(store: &S, id: ConnectionId, key: &IdentityKey) -> Result<bool, StoreError>
where
    S: ErasureStore + IdentityReader + EventReader + ?Sized,
{
    let folded = key.folded().map(Cow::into_owned);
    if !store
        .links_of(id, std::slice::from_ref(&folded), 1)
        .await?
        .is_empty()
    {
        return Ok(true);
    }
    let mut person = ErasedPerson::default();
    let mut filter = EventFilter::default();
    match folded {
        IdentityKey::DistinctId(distinct_id) => {
            person
                .distinct_ids
                .push(without_nul(&distinct_id).into_owned());
            filter.distinct_ids.push(distinct_id);
        }
        IdentityKey::Person(of) => person.persons.push(of),
        _ => return Ok(false),
    }
    // PostHog may have deleted the person, or never had a profile of it: then links that have ended, or
    // events, still tell who is meant.
    if !store.belonging(id, &person).await?.is_nobody() {
        return Ok(true);
    }
    Ok(!filter.distinct_ids.is_empty() && !store.events(id, &filter, None, 1).await?.is_empty())
}
