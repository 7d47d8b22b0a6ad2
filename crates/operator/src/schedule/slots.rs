//! At most so many Jobs at once, first due first. Who must wait is woken when a place comes free.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// The places for Jobs. Which are taken is told by the Jobs themselves; here are only those who
/// wait, and those whose Job is being created.
pub(crate) struct Slots {
    places: usize,
    state: Mutex<State>,
    wake: Box<dyn Fn(&str) + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// By due time and key.
    queue: BTreeSet<(Timestamp, String)>,
    due: HashMap<String, Timestamp>,
    creating: Creating,
}

/// The keys whose Job is being created.
pub(crate) type Creating = BTreeSet<String>;

/// The right to create one Job. Dropped, the place is given back: to the Job, which then counts by
/// itself, or to the next who waits.
pub(crate) struct Permit {
    slots: Arc<Slots>,
    key: String,
}

impl Slots {
    /// So many places; `wake` is called with the key of who may ask again.
    pub(crate) fn new(places: usize, wake: impl Fn(&str) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            places: places.max(1),
            state: Mutex::default(),
            wake: Box::new(wake),
        })
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Asks for a place for `key`, whose run is due at `due`. `active` counts the Jobs that have one, but
    /// for those of the keys that it is given. Who does not get one is in the queue afterwards, by the time
    /// that it was due when it first asked.
    pub(crate) fn take(
        self: &Arc<Self>,
        key: &str,
        due: Timestamp,
        active: impl FnOnce(&Creating) -> usize,
    ) -> Option<Permit> {
        let mut state = self.lock();
        state.enqueue(key, due);
        let free = self.free(&state, active);
        let is_first = state
            .queue
            .iter()
            .take(free)
            .any(|(_, waiting)| waiting == key);
        if !is_first {
            return None;
        }
        state.forget(key);
        state.creating.insert(key.to_owned());
        Some(Permit {
            slots: Arc::clone(self),
            key: key.to_owned(),
        })
    }

    /// Takes a place in the queue ahead of asking, so that those who are due sooner but ask later
    /// are not passed over.
    pub(crate) fn expect(&self, key: &str, due: Timestamp) {
        self.lock().enqueue(key, due);
    }

    /// `key` wants no place any more.
    pub(crate) fn leave(&self, key: &str, active: impl FnOnce(&Creating) -> usize) {
        let mut state = self.lock();
        if state.forget(key) {
            self.wake_first(&state, active);
        }
    }

    /// Forgets everybody in the queue for whom `lives` does not hold: they went without a word.
    pub(crate) fn keep(
        &self,
        lives: impl Fn(&str) -> bool,
        active: impl FnOnce(&Creating) -> usize,
    ) {
        let mut state = self.lock();
        let gone: Vec<String> = state
            .due
            .keys()
            .filter(|key| !lives(key))
            .cloned()
            .collect();
        for key in &gone {
            state.forget(key);
        }
        if !gone.is_empty() {
            self.wake_first(&state, active);
        }
    }

    /// A Job has ended: wakes who may run in its place.
    pub(crate) fn freed(&self, active: impl FnOnce(&Creating) -> usize) {
        self.wake_first(&self.lock(), active);
    }

    /// Counted under the lock, or two would take the last place. A Job that is seen while its permit still
    /// lives counts once, or somebody would wait for a place that is free.
    fn free(&self, state: &State, active: impl FnOnce(&Creating) -> usize) -> usize {
        let taken = active(&state.creating) + state.creating.len();
        self.places.saturating_sub(taken)
    }

    fn wake_first(&self, state: &State, active: impl FnOnce(&Creating) -> usize) {
        for (_, key) in state.queue.iter().take(self.free(state, active)) {
            (self.wake)(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, key: &str, due: Timestamp) {
        if !self.due.contains_key(key) {
            self.due.insert(key.to_owned(), due);
            self.queue.insert((due, key.to_owned()));
        }
    }

    fn forget(&mut self, key: &str) -> bool {
        self.due
            .remove(key)
            .is_some_and(|due| self.queue.remove(&(due, key.to_owned())))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.slots.lock().creating.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn recording(places: usize) -> (Arc<Slots>, Arc<Mutex<Vec<String>>>) {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&woken);
        let slots = Slots::new(places, move |key| {
            record.lock().unwrap().push(key.to_owned());
        });
        (slots, woken)
    }

    #[test]
    fn who_is_due_first_goes_first_whoever_asks_first() {
        let (slots, woken) = recording(1);
        assert!(slots.take("late", at(20), |_| 1).is_none());
        assert!(slots.take("early", at(10), |_| 1).is_none());
        slots.freed(|_| 0);
        assert_eq!(*woken.lock().unwrap(), ["early"]);
        assert!(slots.take("late", at(20), |_| 0).is_none());
        assert!(slots.take("early", at(10), |_| 0).is_some());
    }

    #[test]
    fn a_place_whose_job_is_being_created_is_taken() {
        let (slots, _) = recording(1);
        let permit = slots.take("one", at(1), |_| 0);
        assert!(permit.is_some());
        assert!(slots.take("two", at(1), |_| 0).is_none());
        drop(permit);
        assert!(slots.take("two", at(1), |_| 0).is_some());
    }

    #[test]
    fn a_job_that_is_there_before_its_permit_is_given_back_takes_one_place() {
        let (slots, _) = recording(2);
        let permit = slots.take("one", at(1), |_| 0);
        let but_being_created = |creating: &Creating| {
            let there = ["one"];
            there.iter().filter(|key| !creating.contains(**key)).count()
        };
        assert!(slots.take("two", at(2), but_being_created).is_some());
        drop(permit);
    }

    #[test]
    fn who_asks_again_keeps_its_place_in_the_queue() {
        let (slots, _) = recording(1);
        assert!(slots.take("first", at(1), |_| 1).is_none());
        assert!(slots.take("second", at(2), |_| 1).is_none());
        assert!(slots.take("first", at(3), |_| 1).is_none());
        assert!(slots.take("second", at(2), |_| 0).is_none());
        assert!(slots.take("first", at(4), |_| 0).is_some());
    }

    #[test]
    fn who_leaves_lets_the_next_one_in() {
        let (slots, woken) = recording(1);
        assert!(slots.take("first", at(1), |_| 1).is_none());
        assert!(slots.take("second", at(2), |_| 1).is_none());
        slots.leave("first", |_| 0);
        assert_eq!(*woken.lock().unwrap(), ["second"]);
    }

    #[test]
    fn who_went_without_a_word_holds_no_place() {
        let (slots, woken) = recording(1);
        for (second, key) in (1..).zip(["gone", "also gone", "third"]) {
            assert!(slots.take(key, at(second), |_| 1).is_none());
        }
        slots.keep(|key| key == "third", |_| 0);
        assert_eq!(*woken.lock().unwrap(), ["third"]);
        assert!(slots.take("third", at(3), |_| 0).is_some());
    }

    proptest! {
        #[test]
        fn never_more_than_the_places_and_everybody_in_the_end(
            places in 1_usize..6,
            dues in proptest::collection::vec(0_i64..50, 1..40),
        ) {
            let (slots, _) = recording(places);
            let mut waiting: Vec<(i64, String)> = dues
                .iter()
                .enumerate()
                .map(|(index, due)| (*due, format!("{index:02}")))
                .collect();
            for (due, key) in &waiting {
                slots.expect(key, at(*due));
            }
            let mut started = Vec::new();
            while !waiting.is_empty() {
                // All ask in the order in which they came; so many may run, and all of these end.
                let round: Vec<(i64, String)> = waiting
                    .iter()
                    .filter_map(|(due, key)| {
                        let permit = slots.take(key, at(*due), |_| 0)?;
                        std::mem::forget(permit);
                        Some((*due, key.clone()))
                    })
                    .collect();
                prop_assert!(!round.is_empty() && round.len() <= places);
                for (_, key) in &round {
                    slots.lock().creating.remove(key);
                }
                waiting.retain(|entry| !round.contains(entry));
                let latest = round.iter().map(|(due, _)| *due).max();
                let earliest_left = waiting.iter().map(|(due, _)| *due).min();
                prop_assert!(latest <= earliest_left || earliest_left.is_none());
                started.extend(round);
            }
            prop_assert_eq!(started.len(), dues.len());
        }
    }
}
