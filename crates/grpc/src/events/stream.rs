//! StreamEvents: every change of a connection's events.
//!
//! The store tells each event once, as it is now, at the number of its last change. A stream's
//! place is therefore one number, and a filter needs no memory of what the follower holds: an
//! event that does not pass is told as deleted. Only below the number at which a stream from the
//! beginning began can this be left out, for the follower had nothing before.

use domain::storage::{Change, ChangeKind, EpochRecord, EventRow};
use domain::{EventName, PostHogStage};
use serde::{Deserialize, Serialize};

use super::EventServer;
use crate::answer::Events;
use crate::check::{check_connection, check_event_names, check_stages};
use crate::deadline::Deadline;
use crate::errors::ApiError;
use crate::following::{CHANGES_AT_ONCE, Changes, Follower, no_such_start, tell_each};
use crate::proto::v1;
use crate::proto::v1::stream_events_request::Start;
use crate::reads::ReadStore;
use crate::token::Scope;

/// A follower's place among the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Everything up to this change was told.
    #[serde(rename = "s")]
    seq: i64,
    /// Up to this change the follower cannot hold an event that does not pass.
    #[serde(rename = "f")]
    first_pass: i64,
}

/// Which events a follower wants.
#[derive(Debug)]
struct Wanted {
    stages: Vec<PostHogStage>,
    names: Vec<EventName>,
}

impl Wanted {
    fn passes(&self, row: &EventRow) -> bool {
        let by_stage =
            self.stages.is_empty() || row.stage.is_some_and(|stage| self.stages.contains(&stage));
        by_stage && (self.names.is_empty() || self.names.contains(&row.event.event))
    }

    /// What a follower is told of a change, if anything.
    fn tell(
        &self,
        change: Change,
        first_pass: i64,
        events: &mut Events,
    ) -> Option<v1::EventChange> {
        match change.kind {
            ChangeKind::Upsert(row) if self.passes(&row) => Some(v1::EventChange {
                kind: v1::event_change::Kind::Upsert.into(),
                uuid: row.event.uuid.to_string(),
                event: Some(events.message(*row)),
            }),
            _ if change.seq <= first_pass => None,
            ChangeKind::Upsert(row) => Some(deleted(row.event.uuid)),
            ChangeKind::Delete { uuid } => Some(deleted(uuid)),
        }
    }
}

fn deleted(uuid: uuid::Uuid) -> v1::EventChange {
    v1::EventChange {
        kind: v1::event_change::Kind::Delete.into(),
        uuid: uuid.to_string(),
        event: None,
    }
}

/// The changes of events that one follower wants.
pub(super) struct EventChanges {
    wanted: Wanted,
    place: Place,
}

impl<S: ReadStore + ?Sized + 'static> EventServer<S> {
    pub(super) async fn follow(
        &self,
        mut request: v1::StreamEventsRequest,
        deadline: Option<Deadline>,
    ) -> Result<Follower<S, EventChanges>, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let wanted = Wanted {
            stages: check_stages("stages", &request.stages)?,
            names: check_event_names(&request.event_names)?,
        };
        let start = Start::try_from(request.start).map_err(|_| no_such_start(request.start))?;
        let token = std::mem::take(&mut request.resume_token);
        request.start = Start::Unspecified.into();

        let readable = self.reads.open(&name).await?;
        let scope = Scope::resume("StreamEvents", &request, &readable.epoch);
        let now = readable.epoch.change_seq;
        let place = match self.reads.cursor(&scope, &token).await? {
            // The store was restored or purged: what the follower holds is of another history.
            Some(Place { seq, .. }) if seq > now => return Err(scope.stale()),
            Some(place) => place,
            None if start == Start::Now => Place {
                seq: now,
                first_pass: 0,
            },
            None => Place {
                seq: 0,
                first_pass: now,
            },
        };
        let changes = EventChanges { wanted, place };
        Ok(Follower::new(
            self.reads.clone(),
            readable,
            scope,
            changes,
            deadline,
        ))
    }
}

impl<S: ReadStore + ?Sized + 'static> Changes<S> for EventChanges {
    type Change = v1::EventChange;
    type Message = v1::StreamEventsResponse;
    type Place = Place;

    async fn read(
        &mut self,
        store: &S,
        epoch: &EpochRecord,
    ) -> Result<(Vec<v1::EventChange>, bool), ApiError> {
        let changes = store
            .changes(epoch.id, self.place.seq, CHANGES_AT_ONCE)
            .await?;
        let mut events = Events::default();
        Ok(tell_each(changes, |change| {
            self.place.seq = change.seq;
            self.wanted.tell(change, self.place.first_pass, &mut events)
        }))
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn message(
        &self,
        changes: Vec<v1::EventChange>,
        resume_token: String,
        caught_up: bool,
    ) -> v1::StreamEventsResponse {
        v1::StreamEventsResponse {
            changes,
            resume_token,
            caught_up,
        }
    }
}
