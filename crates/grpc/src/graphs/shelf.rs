//! Which connections have a graph, and how much room all of them take.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::ConnectionId;

use super::held::Graph;
use crate::metrics::IdentityMetrics;

/// A connection gets a graph once so many of its ids were asked for: as many as one call may name.
const ASKED: usize = 1_000;
/// A graph that nobody asked for so long makes room for another.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// A graph that nobody asked for so long is dropped. Whoever asks after each hourly run finds it.
const FORGOTTEN: Duration = Duration::from_secs(2 * 60 * 60);
/// For so long no graph is filled for a connection for which there was no room beside others.
const NO_ROOM: Duration = Duration::from_secs(60 * 60);
/// For so long none is filled for a connection whose graph is larger than all the room there is: it would
/// take the others' room each time, for nothing.
const TOO_LARGE: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long none is read for a connection whose links could not be read.
const FAILED: Duration = Duration::from_secs(30);

/// All graphs of a server.
pub(super) struct Shelf {
    budget: usize,
    slots: Mutex<HashMap<ConnectionId, Slot>>,
    pub(super) metrics: IdentityMetrics,
}

/// What is known of a connection that was asked for.
struct Slot {
    graph: Arc<Graph>,
    bytes: usize,
    asked: usize,
    asked_at: Instant,
    /// Until when nothing is read into it, and nobody asks it.
    refused_until: Option<Instant>,
    /// Whether somebody reads into the graph.
    is_read: bool,
}

/// Whoever holds it is the only one that reads into a graph.
pub(super) struct Reader {
    shelf: Arc<Shelf>,
    connection: ConnectionId,
    pub(super) graph: Arc<Graph>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(slot) = self.shelf.slots().get_mut(&self.connection)
            && Arc::ptr_eq(&slot.graph, &self.graph)
        {
            slot.is_read = false;
            if std::thread::panicking() {
                slot.refused_until = Some(Instant::now() + NO_ROOM);
            }
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let taken = taken(&self.slots());
        self.metrics.takes(taken, 0);
    }
}

impl Shelf {
    /// Room for graphs of `budget` bytes between them.
    pub(super) fn new(budget: usize, metrics: IdentityMetrics) -> Self {
        Self {
            budget,
            slots: Mutex::default(),
            metrics,
        }
    }

    /// Notes that so many ids were asked for. Returns the graph of a connection that is to have one.
    pub(super) fn asked(
        &self,
        connection: ConnectionId,
        keys: usize,
        now: Instant,
    ) -> Option<Arc<Graph>> {
        if self.budget == 0 {
            return None;
        }
        let mut slots = self.slots();
        let slot = slots.entry(connection).or_insert_with(|| Slot {
            graph: Arc::default(),
            bytes: 0,
            asked: 0,
            asked_at: now,
            refused_until: None,
            is_read: false,
        });
        slot.asked = slot.asked.saturating_add(keys);
        slot.asked_at = now;
        let is_refused = slot.refused_until.is_some_and(|until| now < until);
        (slot.asked >= ASKED && !is_refused).then(|| Arc::clone(&slot.graph))
    }

    /// The right to read into a connection's graph, unless somebody has it.
    pub(super) fn reader(self: &Arc<Self>, connection: ConnectionId) -> Option<Reader> {
        let mut slots = self.slots();
        let slot = slots.get_mut(&connection).filter(|slot| !slot.is_read)?;
        slot.is_read = true;
        Some(Reader {
            shelf: Arc::clone(self),
            connection,
            graph: Arc::clone(&slot.graph),
        })
    }

    /// Notes how large a graph has become, for which others make room that nobody asks. Returns whether
    /// there is room; if not, the graph is dropped.
    pub(super) fn has_room(&self, connection: ConnectionId, bytes: usize, now: Instant) -> bool {
        self.change(|slots, dropped| {
            if let Some(slot) = slots.get_mut(&connection) {
                slot.bytes = bytes;
            }
            while taken(slots) > self.budget {
                let idle = slots.iter().filter(|(id, slot)| {
                    let is_idle = !slot.is_read && now >= slot.asked_at + IDLE;
                    **id != connection && slot.bytes > 0 && is_idle
                });
                let Some((idle, _)) = idle.min_by_key(|(_, slot)| slot.asked_at) else {
                    if let Some(slot) = slots.get_mut(&connection) {
                        let time = if bytes > self.budget {
                            TOO_LARGE
                        } else {
                            NO_ROOM
                        };
                        slot.refused_until = Some(now + time);
                        slot.bytes = 0;
                        // Nobody reads into the one that takes its place.
                        slot.is_read = false;
                        dropped.push(std::mem::take(&mut slot.graph));
                    }
                    return false;
                };
                let idle = *idle;
                dropped.extend(slots.remove(&idle).map(|slot| slot.graph));
            }
            true
        })
    }

    /// Lets a connection be whose links could not be read.
    pub(super) fn failed(&self, connection: ConnectionId, now: Instant) {
        if let Some(slot) = self.slots().get_mut(&connection) {
            slot.refused_until = Some(now + FAILED);
        }
    }

    /// Forgets a connection, and its graph.
    pub(super) fn forget(&self, connection: ConnectionId) {
        self.change(|slots, dropped| {
            dropped.extend(slots.remove(&connection).map(|slot| slot.graph));
        });
    }

    /// Forgets connections that nobody has asked for in a long time, and their graphs.
    pub(super) fn sweep(&self, now: Instant) {
        self.change(|slots, dropped| {
            let forgotten =
                slots.extract_if(|_, slot| !slot.is_read && now >= slot.asked_at + FORGOTTEN);
            dropped.extend(forgotten.map(|(_, slot)| slot.graph));
        });
    }

    /// Changes which graphs there are, and tells how much room they take.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut HashMap<ConnectionId, Slot>, &mut Vec<Arc<Graph>>) -> T,
    ) -> T {
        let mut dropped = Vec::new();
        let mut slots = self.slots();
        let before = taken(&slots);
        let changed = change(&mut slots, &mut dropped);
        self.metrics.takes(before, taken(&slots));
        drop(slots);
        if !dropped.is_empty() {
            super::discard(dropped);
        }
        changed
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<ConnectionId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn taken(slots: &HashMap<ConnectionId, Slot>) -> usize {
    slots.values().map(|slot| slot.bytes).sum()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const A: ConnectionId = ConnectionId(Uuid::from_u128(1));
    const B: ConnectionId = ConnectionId(Uuid::from_u128(2));

    fn shelf() -> Arc<Shelf> {
        Arc::new(Shelf::new(100, IdentityMetrics::default()))
    }

    #[test]
    fn only_who_is_asked_for_in_numbers_gets_a_graph() {
        let (shelf, now) = (shelf(), Instant::now());
        assert!(shelf.asked(A, 999, now).is_none());
        assert!(shelf.asked(B, 1, now).is_none());
        assert!(shelf.asked(A, 1, now).is_some());
        let none = Shelf::new(0, IdentityMetrics::default());
        assert!(none.asked(A, 1_000, now).is_none());
    }

    #[test]
    fn one_reads_into_a_graph_at_a_time() {
        let (shelf, now) = (shelf(), Instant::now());
        shelf.asked(A, 1, now);
        let reader = shelf.reader(A);
        assert!(reader.is_some() && shelf.reader(A).is_none());
        drop(reader);
        assert!(shelf.reader(A).is_some());
    }

    #[test]
    fn who_read_into_a_graph_that_is_gone_leaves_the_next_one_to_its_reader() {
        let (shelf, now) = (shelf(), Instant::now());
        shelf.asked(A, 1_000, now);
        let before = shelf.reader(A);
        shelf.forget(A);
        shelf.asked(A, 1_000, now);
        let reader = shelf.reader(A);
        drop(before);
        assert!(reader.is_some() && shelf.reader(A).is_none());
        assert!(!shelf.has_room(A, 101, now));
        let next = shelf.reader(A);
        drop(reader);
        assert!(next.is_some() && shelf.reader(A).is_none());
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_not_tried_again_at_once() {
        let (shelf, now) = (shelf(), Instant::now());
        shelf.asked(A, 1_000, now);
        assert!(shelf.has_room(A, 100, now));
        shelf.asked(B, 1_000, now);
        // The other one is asked for still.
        let refused = now + IDLE - Duration::from_secs(1);
        assert!(!shelf.has_room(B, 1, refused));
        assert!(
            shelf
                .asked(B, 1, refused + NO_ROOM - Duration::from_secs(1))
                .is_none()
        );
        assert!(shelf.asked(B, 1, refused + NO_ROOM).is_some());
        assert_eq!(taken(&shelf.slots()), 100);
        let now = refused + NO_ROOM;
        assert!(!shelf.has_room(B, 101, now));
        assert!(shelf.asked(B, 1, now + NO_ROOM).is_none());
        assert!(shelf.asked(B, 1, now + TOO_LARGE).is_some());
    }

    #[test]
    fn what_could_not_be_read_is_let_be_for_a_while() {
        let (shelf, now) = (shelf(), Instant::now());
        shelf.asked(A, 1_000, now);
        shelf.failed(A, now);
        assert!(shelf.asked(A, 1_000, now).is_none());
        assert!(shelf.asked(A, 1, now + FAILED).is_some());
    }

    #[test]
    fn a_graph_that_nobody_asks_makes_room_unless_it_is_being_filled() {
        let (shelf, now) = (shelf(), Instant::now());
        shelf.asked(A, 1_000, now);
        assert!(shelf.has_room(A, 60, now));
        let later = now + IDLE;
        shelf.asked(B, 1_000, later);
        let reader = shelf.reader(A);
        assert!(!shelf.has_room(B, 60, later));
        drop(reader);
        assert!(shelf.has_room(B, 60, later));
        assert_eq!(taken(&shelf.slots()), 60);
        assert!(shelf.asked(A, 1, later).is_none());
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let (shelf, now) = (shelf(), Instant::now());
        shelf.asked(A, 1_000, now);
        assert!(shelf.has_room(A, 60, now));
        shelf.sweep(now + FORGOTTEN - Duration::from_secs(1));
        assert_eq!(taken(&shelf.slots()), 60);
        shelf.sweep(now + FORGOTTEN);
        assert!(shelf.slots().is_empty());
    }
}
