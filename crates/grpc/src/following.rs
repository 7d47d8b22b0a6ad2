//! What every stream of changes does alike: it tells, waits, and can be resumed after any message.
//!
//! ```text
//!            changes            none left                 change
//! begin ──▶ telling ──────────▶ caught up ──▶ waiting ──────────▶ telling
//!              │                                 │ silent for long: heartbeat
//!              └── draining, deleted, plan too low, moved: an error ends the stream
//! ```

use std::time::Duration;

use domain::ConnectionName;
use domain::storage::EpochRecord;
use futures_util::{Stream, stream};
use prost::Message;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use crate::access::Readable;
use crate::deadline::Deadline;
use crate::errors::ApiError;
use crate::reads::{ReadStore, Reads};
use crate::token::Scope;

/// Changes that are read at once.
pub(crate) const CHANGES_AT_ONCE: usize = 500;
/// Bytes that a message may grow to.
pub(crate) const MESSAGE_BYTES: usize = 256 * 1024;

/// One kind of change, and a follower's place among all of that kind.
pub(crate) trait Changes<S: ?Sized>: Send + Sync + 'static {
    /// One change as it is sent.
    type Change: Send;
    /// A message of the stream.
    type Message: Send;
    /// What a resume token holds.
    type Place: Serialize + Sync;

    /// The next changes to tell, some [`MESSAGE_BYTES`] at most, and whether they reach what is
    /// stored now. The place moves on, also over changes that nobody is told of.
    fn read(
        &mut self,
        store: &S,
        epoch: &EpochRecord,
    ) -> impl Future<Output = Result<(Vec<Self::Change>, bool), ApiError>> + Send;

    /// The place after what was read.
    fn place(&self) -> &Self::Place;

    /// What is sent.
    fn message(
        &self,
        changes: Vec<Self::Change>,
        resume_token: String,
        caught_up: bool,
    ) -> Self::Message;
}

/// One stream.
pub(crate) struct Follower<S: ?Sized, C> {
    reads: Reads<S>,
    name: ConnectionName,
    scope: Scope,
    epoch: domain::ConnectionId,
    life: i64,
    changes: C,
    deadline: Option<Deadline>,
    /// Whether the last message said that everything was told.
    caught_up: bool,
    last_message: Instant,
}

impl<S: ReadStore + ?Sized + 'static, C: Changes<S>> Follower<S, C> {
    /// A follower of `changes` of a connection that may be read now.
    pub(crate) fn new(
        reads: Reads<S>,
        readable: Readable,
        scope: Scope,
        changes: C,
        deadline: Option<Deadline>,
    ) -> Self {
        Self {
            reads,
            name: readable.name,
            scope,
            epoch: readable.epoch.id,
            life: readable.epoch.life,
            changes,
            deadline,
            caught_up: false,
            last_message: Instant::now(),
        }
    }

    /// The messages; an error is the last.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<C::Message, Status>> + Send {
        stream::unfold(Some(self), async |follower| {
            let mut follower = follower?;
            match follower.next_message().await {
                Ok(message) => Some((Ok(message), Some(follower))),
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        })
    }

    async fn next_message(&mut self) -> Result<C::Message, ApiError> {
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
                let token = self.token().await?;
                return Ok(self.changes.message(changes, token, caught_up));
            }
            if caught_up {
                self.wait().await;
            }
        }
    }

    async fn read(&mut self) -> Result<(Vec<C::Change>, bool), ApiError> {
        // Asked each time: a stream may live longer than the connection, its plan or its project.
        let readable = self.reads.open(&self.name).await?;
        if readable.epoch.id != self.epoch || readable.epoch.life != self.life {
            return Err(self.scope.stale());
        }
        self.changes.read(&*self.reads.store, &readable.epoch).await
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
            .sign(&*self.reads.store, &self.scope, self.changes.place())
            .await
    }
}

/// Tells changes until a message is full: what is sent, and whether it reaches what is stored now.
/// `changes` are the next [`CHANGES_AT_ONCE`], or all that are left. `tell` moves the place on; of a
/// change that nobody is told of it makes nothing.
pub(crate) fn tell_each<T, M: Message>(
    changes: Vec<T>,
    mut tell: impl FnMut(T) -> Option<M>,
) -> (Vec<M>, bool) {
    let all_read = changes.len() < CHANGES_AT_ONCE;
    let (mut told, mut bytes) = (Vec::new(), 0);
    let mut changes = changes.into_iter();
    while bytes < MESSAGE_BYTES
        && let Some(change) = changes.next()
    {
        if let Some(change) = tell(change) {
            bytes += change.encoded_len();
            told.push(change);
        }
    }
    (told, all_read && changes.len() == 0)
}

/// The error of a `start` that is none.
pub(crate) fn no_such_start(start: i32) -> ApiError {
    ApiError::field(
        "start",
        format!("is {start}, which names no start: write 1 (beginning) or 2 (now)"),
    )
}
