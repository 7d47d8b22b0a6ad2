//! A store in memory that keeps the readers' promises naively, and can be told to fail or dawdle.

mod clickmaps;
mod cohorts;
mod connections;
mod erasures;
mod reading;
mod runs;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use domain::identity::IdentityLink;
use domain::mapping::OrderEvidence;
use domain::storage::{
    Change, ChangeKind, ConnectionRecord, DayVerdict, EpochRecord, EventDefinition, EventRow,
    LinkKey, PersonChange, Result, RunRecord, StoreError,
};
use domain::{ConnectionId, ConnectionName, EventName};
use uuid::Uuid;

/// What is stored, for tests to change at will.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) connections: BTreeMap<ConnectionName, ConnectionRecord>,
    pub(crate) epochs: HashMap<ConnectionId, EpochRecord>,
    pub(crate) events: HashMap<Uuid, EventRow>,
    pub(crate) changed: BTreeMap<i64, Uuid>,
    pub(crate) definitions: Vec<EventDefinition>,
    pub(crate) evidence: HashMap<EventName, OrderEvidence>,
    pub(crate) links: Vec<(LinkKey, IdentityLink)>,
    /// In ascending order; of links that events carry none ever changes.
    pub(crate) person_changes: Vec<PersonChange>,
    pub(crate) verdicts: Vec<DayVerdict>,
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) keys: Vec<Vec<u8>>,
    /// Every question is answered with this.
    pub(crate) failure: Option<StoreError>,
    /// How long every question takes.
    pub(crate) delay: Duration,
}

impl State {
    fn touch(&mut self, connection: ConnectionId, uuid: Uuid) {
        self.changed.retain(|_, changed| *changed != uuid);
        let epoch = self.epochs.get_mut(&connection).unwrap();
        epoch.change_seq += 1;
        self.changed.insert(epoch.change_seq, uuid);
    }

    /// Stores an event, or replaces the one of its uuid.
    pub(crate) fn put(&mut self, connection: ConnectionId, row: EventRow) {
        let uuid = row.event.uuid;
        self.events.insert(uuid, row);
        self.touch(connection, uuid);
    }

    /// Removes an event.
    pub(crate) fn remove(&mut self, connection: ConnectionId, uuid: Uuid) {
        self.events.remove(&uuid);
        self.touch(connection, uuid);
    }

    fn changes_after(&self, seq: i64, limit: usize) -> Vec<Change> {
        self.changed
            .range(seq + 1..)
            .take(limit)
            .map(|(seq, uuid)| Change {
                seq: *seq,
                kind: match self.events.get(uuid) {
                    Some(row) => ChangeKind::Upsert(Box::new(row.clone())),
                    None => ChangeKind::Delete { uuid: *uuid },
                },
            })
            .collect()
    }
}

#[derive(Default)]
pub(crate) struct Memory(Mutex<State>);

impl Memory {
    /// The state, to be looked at or changed.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Answers a question from the state, as slowly and as badly as it was told to.
    async fn ask<T>(&self, answer: impl FnOnce(&mut State) -> T) -> Result<T> {
        let delay = self.state().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut state = self.state();
        match &state.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(answer(&mut state)),
        }
    }
}

/// The server only reads; whoever asks this store to write finds out.
fn read_only<T>() -> Result<T> {
    Err(StoreError::Unusable {
        detail: "this store is only read".to_owned(),
    })
}
