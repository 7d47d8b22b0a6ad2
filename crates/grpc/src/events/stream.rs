//! StreamEvents: every change of a connection's events, resumable after any message.
//!
//! ```text
//!            changes            none left                 change
//! begin ──▶ telling ──────────▶ caught up ──▶ waiting ──────────▶ telling
//!              │                                 │ silent for long: heartbeat
//!              └── draining, deleted, plan too low, moved: an error ends the stream
//! ```
//!
//! The store tells each event once, as it is now, at the number of its last change. A stream's
//! place is therefore one number, and a filter needs no memory of what the follower holds: an
//! event that does not pass is told as deleted. Only below the number at which a stream from the
//! beginning began can this be left out, for the follower had nothing before.

use std::time::Duration;

use domain::storage::{Change, ChangeKind, EventRow};
use domain::{ConnectionName, EventName, PostHogStage};
use futures_util::{Stream, stream};
use prost::Message;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::EventServer;
use crate::access::Readable;
use crate::answer::Events;
use crate::check::{check_connection, check_event_names, check_stages};
use crate::deadline::Deadline;
use crate::errors::ApiError;
use crate::proto::v1;
use crate::proto::v1::stream_events_request::Start;
use crate::reads::{ReadStore, Reads};
use crate::token::Scope;

/// Changes that are read at once.
const CHANGES_AT_ONCE: usize = 500;
/// Bytes that a message may grow to.
const MESSAGE_BYTES: usize = 256 * 1024;

/// A follower's place among the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
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

/// One stream.
pub(super) struct Follower<S: ?Sized> {
    reads: Reads<S>,
    name: ConnectionName,
    wanted: Wanted,
    scope: Scope,
    epoch: domain::ConnectionId,
    place: Place,
    deadline: Option<Deadline>,
    /// Whether the last message said that everything was told.
    caught_up: bool,
    last_message: Instant,
}

impl<S: ReadStore + ?Sized + 'static> EventServer<S> {
    pub(super) async fn follow(
        &self,
        mut request: v1::StreamEventsRequest,
        deadline: Option<Deadline>,
    ) -> Result<Follower<S>, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let wanted = Wanted {
            stages: check_stages("stages", &request.stages)?,
            names: check_event_names(&request.event_names)?,
        };
        let start = Start::try_from(request.start).map_err(|_| {
            ApiError::field(
                "start",
                format!(
                    "is {}, which names no start: write 1 (beginning) or 2 (now)",
                    request.start
                ),
            )
        })?;
        let token = std::mem::take(&mut request.resume_token);
        request.start = Start::Unspecified.into();

        let Readable { epoch, name } = self.reads.open(&name).await?;
        let scope = Scope::resume("StreamEvents", &request, &epoch);
        let now = epoch.change_seq;
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
        Ok(Follower {
            reads: self.reads.clone(),
            name,
            wanted,
            scope,
            epoch: epoch.id,
            place,
            deadline,
            caught_up: false,
            last_message: Instant::now(),
        })
    }
}

impl<S: ReadStore + ?Sized + 'static> Follower<S> {
    /// The messages; an error is the last.
    pub(super) fn into_stream(
        self,
    ) -> impl Stream<Item = Result<v1::StreamEventsResponse, Status>> + Send {
        stream::unfold(Some(self), async |follower| {
            let mut follower = follower?;
            match follower.next_message().await {
                Ok(message) => Some((Ok(message), Some(follower))),
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        })
    }

    async fn next_message(&mut self) -> Result<v1::StreamEventsResponse, ApiError> {
        loop {
            if self.reads.draining.is_cancelled() {
                return Err(ApiError::Draining {
                    resume_token: self.token().await?,
                });
            }
            if let Some(deadline) = self.deadline
                && deadline.has_passed()
            {
                return Err(deadline.error());
            }
            let (changes, caught_up) = self.read().await?;
            let newly_caught_up = caught_up && !self.caught_up;
            let silent_too_long =
                self.last_message.elapsed() >= self.reads.settings.heartbeat_interval;
            if !changes.is_empty() || newly_caught_up || silent_too_long {
                self.caught_up = caught_up;
                self.last_message = Instant::now();
                return Ok(v1::StreamEventsResponse {
                    changes,
                    resume_token: self.token().await?,
                    caught_up,
                });
            }
            if caught_up {
                self.wait().await;
            }
        }
    }

    /// The next changes to tell, and whether they reach what is stored now. The place moves on,
    /// also over changes that nobody is told of.
    async fn read(&mut self) -> Result<(Vec<v1::EventChange>, bool), ApiError> {
        // Asked each time: a stream may live longer than the connection, its plan or its project.
        let readable = self.reads.open(&self.name).await?;
        if readable.epoch.id != self.epoch {
            return Err(self.scope.stale());
        }
        let changes = self
            .reads
            .store
            .changes(self.epoch, self.place.seq, CHANGES_AT_ONCE)
            .await?;
        let read = changes.len();
        let mut told = Vec::new();
        let mut events = Events::default();
        let (mut bytes, mut used) = (0, 0);
        for change in changes {
            let seq = change.seq;
            if let Some(change) = self.wanted.tell(change, self.place.first_pass, &mut events) {
                bytes += change.encoded_len();
                told.push(change);
            }
            self.place.seq = seq;
            used += 1;
            if bytes >= MESSAGE_BYTES {
                break;
            }
        }
        Ok((told, used == read && read < CHANGES_AT_ONCE))
    }

    /// Until it is worth looking again.
    async fn wait(&self) {
        let mut until = Instant::now() + self.reads.settings.poll_interval;
        until = until.min(
            self.last_message + self.reads.settings.heartbeat_interval + Duration::from_millis(1),
        );
        if let Some(deadline) = self.deadline {
            until = until.min(deadline.at());
        }
        tokio::select! {
            () = sleep_until(until) => {}
            () = self.reads.draining.cancelled() => {}
        }
    }

    async fn token(&self) -> Result<String, ApiError> {
        self.reads
            .tokens
            .sign(&*self.reads.store, &self.scope, &self.place)
            .await
    }
}
