//! What is kept of watched objects: only what reconciliations ask for, so that thousands of Jobs and
//! Namespaces cost little memory.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{Stream, TryStreamExt};
use kube::runtime::watcher::{self, Event};
use tokio::sync::SetOnce;

/// The last seen state of watched objects by name, each reduced to a `V`.
pub(crate) struct Watched<V> {
    state: Mutex<State<V>>,
    ready: SetOnce<()>,
}

struct State<V> {
    now: HashMap<String, V>,
    /// What a relist has sent so far.
    listed: HashMap<String, V>,
}

impl<V> Default for Watched<V> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                now: HashMap::new(),
                listed: HashMap::new(),
            }),
            ready: SetOnce::new(),
        }
    }
}

impl<V: Clone + PartialEq> Watched<V> {
    /// Returns once everything was listed a first time.
    pub(crate) async fn ready(&self) {
        self.ready.wait().await;
    }

    /// What is known of the object of that name.
    pub(crate) fn get(&self, name: &str) -> Option<V> {
        self.lock().now.get(name).cloned()
    }

    /// Every object for which `wanted` holds.
    pub(crate) fn filter(&self, wanted: impl Fn(&V) -> bool) -> Vec<V> {
        let state = self.lock();
        state.now.values().filter(|v| wanted(v)).cloned().collect()
    }

    /// How many objects there are for which `wanted` holds.
    pub(crate) fn count(&self, wanted: impl Fn(&V) -> bool) -> usize {
        self.lock().now.values().filter(|v| wanted(v)).count()
    }

    /// Takes note of an object that was just written, before the watch tells of it.
    pub(crate) fn note(&self, name: String, value: V) {
        self.lock().now.insert(name, value);
    }

    /// Follows a watch for as long as it lives; `changed` is told of every object that came, went or
    /// looks different, with what it was and what it is now.
    pub(crate) async fn follow<K>(
        &self,
        events: impl Stream<Item = Result<Event<K>, watcher::Error>>,
        reduce: impl Fn(&K) -> Option<(String, V)>,
        changed: impl Fn(Option<&V>, Option<&V>),
        what: &'static str,
    ) {
        let mut events = pin!(events);
        loop {
            match events.try_next().await {
                Ok(Some(event)) => {
                    for (old, new) in self.take(event, &reduce) {
                        changed(old.as_ref(), new.as_ref());
                    }
                }
                Ok(None) => return,
                // The stream pauses by itself before it goes on.
                Err(error) => {
                    tracing::warn!(%error, what, "A watch broke off; starting it again.");
                }
            }
        }
    }

    /// What changed by an event; told after the lock is given back, for whoever is told may look here.
    fn take<K>(
        &self,
        event: Event<K>,
        reduce: &impl Fn(&K) -> Option<(String, V)>,
    ) -> Vec<(Option<V>, Option<V>)> {
        let mut state = self.lock();
        let mut changes = Vec::new();
        match event {
            Event::Init => state.listed.clear(),
            Event::InitApply(object) => state.listed.extend(reduce(&object)),
            Event::InitDone => {
                let listed = std::mem::take(&mut state.listed);
                let mut before = std::mem::replace(&mut state.now, listed);
                for (name, value) in &state.now {
                    let old = before.remove(name);
                    if old.as_ref() != Some(value) {
                        changes.push((old, Some(value.clone())));
                    }
                }
                changes.extend(before.into_values().map(|old| (Some(old), None)));
                drop(state);
                let _ = self.ready.set(());
            }
            Event::Apply(object) => {
                if let Some((name, value)) = reduce(&object) {
                    let old = state.now.insert(name, value.clone());
                    if old.as_ref() != Some(&value) {
                        changes.push((old, Some(value)));
                    }
                }
            }
            Event::Delete(object) => {
                if let Some((name, _)) = reduce(&object)
                    && let Some(old) = state.now.remove(&name)
                {
                    changes.push((Some(old), None));
                }
            }
        }
        changes
    }

    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
