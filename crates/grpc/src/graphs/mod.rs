//! Identity graphs in memory, so that a thousand ids are resolved in a few milliseconds: PostgreSQL looks
//! up some ten places for each. What is answered is never older than what the store would answer.
//!
//! A connection whose ids are asked for in numbers gets a graph, filled and kept up by following the store
//! as any caller of StreamIdentityChanges does. Each call reads from the store which change was the last:
//! only a graph that has taken in all of them answers. Meanwhile, and where there is no room, the store does.

mod held;
mod reading;
mod shelf;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::identity::{IdentityAnswer, IdentityKey};
use domain::storage::EpochRecord;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::shelf::Shelf;
use crate::metrics::IdentityMetrics;
use crate::reads::ReadStore;

/// Graphs that are kept up at once: each takes a connection of the store's pool.
const FOLLOWED: usize = 2;
/// How often graphs that nobody asks any more are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// Takes down what may be millions of texts, where no call waits for it.
fn discard<T: Send + 'static>(graphs: T) {
    rayon::spawn(move || drop(graphs));
}

/// The graphs of one server.
pub(crate) struct Graphs<S: ?Sized> {
    store: Arc<S>,
    shelf: Arc<Shelf>,
    /// Whole graphs are read one after the other: each is many large reads.
    filling: Arc<Semaphore>,
    /// So many graphs are kept up at once.
    following: Arc<Semaphore>,
    draining: CancellationToken,
}

// Derived `Clone` would ask it of `S`.
impl<S: ?Sized> Clone for Graphs<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            shelf: Arc::clone(&self.shelf),
            filling: Arc::clone(&self.filling),
            following: Arc::clone(&self.following),
            draining: self.draining.clone(),
        }
    }
}

impl<S: ReadStore + ?Sized + 'static> Graphs<S> {
    /// Graphs of `budget` bytes at most, between them; none where it is 0.
    pub(crate) fn new(
        store: Arc<S>,
        budget: usize,
        metrics: IdentityMetrics,
        draining: CancellationToken,
    ) -> Self {
        Self {
            store,
            shelf: Arc::new(Shelf::new(budget, metrics)),
            filling: Arc::new(Semaphore::new(1)),
            following: Arc::new(Semaphore::new(FOLLOWED)),
            draining,
        }
    }

    /// Drops graphs that nobody asks any more, until the server drains.
    pub(crate) async fn sweep(self) {
        while self
            .draining
            .run_until_cancelled(tokio::time::sleep(SWEEP))
            .await
            .is_some()
        {
            self.shelf.sweep(Instant::now());
        }
    }

    /// What `keys` are, by a graph that holds all that `epoch` had when it was read, each as it is taken by
    /// one of `taker`, of which each processor gets its own. None for each that the store must be asked about.
    pub(crate) fn resolve<A: Send, T: FnMut(IdentityAnswer<&str>) -> A>(
        &self,
        epoch: &EpochRecord,
        keys: &[IdentityKey],
        taker: impl Fn() -> T + Sync,
    ) -> Vec<Option<A>> {
        let graph = self.shelf.asked(epoch.id, keys.len(), Instant::now());
        let answers = graph.and_then(|graph| {
            let answers = graph.resolve(epoch, keys, taker);
            if answers.is_none() {
                self.read(epoch.id);
            }
            answers
        });
        answers.unwrap_or_else(|| keys.iter().map(|_| None).collect())
    }

    /// Counts `keys` that were resolved, so many of them from memory.
    pub(crate) fn count(&self, from_memory: usize, keys: usize) {
        self.shelf.metrics.answered(from_memory, keys);
    }
}
