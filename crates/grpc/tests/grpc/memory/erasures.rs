//! Erasures, naively: rows go at once, and nothing is remembered.

use async_trait::async_trait;
use domain::erasure::{Erased, ErasedPerson};
use domain::storage::{ErasureStore, Lease, Result};
use domain::{ConnectionId, ConnectionName};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{Memory, State, read_only};

/// What is there of a person, by distinct id alone.
fn of(state: &State, person: &ErasedPerson) -> (Erased, Vec<Uuid>) {
    let events: Vec<Uuid> = state
        .events
        .values()
        .filter(|row| person.distinct_ids.contains(&row.event.distinct_id))
        .map(|row| row.event.uuid)
        .collect();
    let erased = Erased {
        persons: person.persons.len() as u64,
        distinct_ids: person.distinct_ids.len() as u64,
        events: events.len() as u64,
        ..Erased::default()
    };
    (erased, events)
}

#[async_trait]
impl ErasureStore for Memory {
    async fn epochs_of(&self, name: &ConnectionName) -> Result<Vec<ConnectionId>> {
        self.ask(|state| {
            state
                .connections
                .get(name)
                .map(|it| it.target)
                .into_iter()
                .collect()
        })
        .await
    }

    async fn belonging(&self, _: ConnectionId, _: &ErasedPerson) -> Result<ErasedPerson> {
        self.ask(|_| ErasedPerson::default()).await
    }

    async fn erasable(&self, _: ConnectionId, person: &ErasedPerson) -> Result<Erased> {
        self.ask(|state| of(state, person).0).await
    }

    async fn begin_erasure(
        &self,
        connection: ConnectionId,
        person: &ErasedPerson,
        _: Timestamp,
    ) -> Result<Erased> {
        self.ask(|state| {
            let (erased, events) = of(state, person);
            for uuid in events {
                state.remove(connection, uuid);
            }
            erased
        })
        .await
    }

    async fn finish_erasures(&self, _: ConnectionId) -> Result<u64> {
        self.ask(|_| 0).await
    }

    async fn erased_by_utc_day(
        &self,
        _: ConnectionId,
        _: Date,
        _: Date,
    ) -> Result<Vec<(Date, u64)>> {
        read_only()
    }

    async fn erased_uuids_of_utc_day(
        &self,
        _: ConnectionId,
        _: Date,
        _: Timestamp,
    ) -> Result<Vec<Uuid>> {
        read_only()
    }

    async fn forget_erased(&self, _: &Lease, _: &[Uuid]) -> Result<u64> {
        read_only()
    }
}
