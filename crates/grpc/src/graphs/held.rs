//! One connection's graph, and how far it has followed the store.

use std::sync::RwLock;

use domain::identity::{
    IdProperty, IdentityAnswer, IdentityGraph, IdentityKey, LinkBatch, LinkPlace,
};
use domain::storage::EpochRecord;
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;

/// Keys that one processor resolves; those of a large call are shared out.
const KEYS_AT_ONCE: usize = 128;

/// A graph that is read by many and filled by one.
#[derive(Debug, Default)]
pub(super) struct Graph(RwLock<Option<Held>>);

#[derive(Debug)]
struct Held {
    links: IdentityGraph,
    life: i64,
    place: LinkPlace,
    /// Other properties carry other links, without any change of the store's.
    id_properties: Vec<IdProperty>,
}

impl Held {
    fn beginning(epoch: &EpochRecord) -> Self {
        Self {
            links: IdentityGraph::default(),
            life: epoch.life,
            place: LinkPlace::beginning(epoch),
            id_properties: epoch.id_properties.clone(),
        }
    }

    fn follows(&self, epoch: &EpochRecord) -> bool {
        self.life == epoch.life
            && self.id_properties == epoch.id_properties
            && !self.place.is_lost(epoch)
    }
}

impl Graph {
    /// What `keys` are, if it holds exactly what `epoch` had when it was read; as [`super::Graphs::resolve`].
    pub(super) fn resolve<A: Send, T: FnMut(IdentityAnswer<&str>) -> A>(
        &self,
        epoch: &EpochRecord,
        keys: &[IdentityKey],
        taker: impl Fn() -> T + Sync,
    ) -> Option<Vec<Option<A>>> {
        // Whoever broke while filling it left it half-filled.
        let held = self.0.read().ok()?;
        let held = held
            .as_ref()
            .filter(|held| held.follows(epoch) && held.place == LinkPlace::now(epoch))?;
        let resolve = |keys| held.links.resolve(keys, epoch.persons_read_at, taker());
        Some(match keys.len() {
            0..=KEYS_AT_ONCE => resolve(keys),
            _ => keys
                .par_chunks(KEYS_AT_ONCE)
                .flat_map_iter(resolve)
                .collect(),
        })
    }

    /// Whether it was not filled yet.
    pub(super) fn is_empty(&self) -> bool {
        self.0.read().map_or(true, |held| held.is_none())
    }

    /// From where it is to be read on. It begins anew where it cannot follow.
    pub(super) fn place(&self, epoch: &EpochRecord) -> LinkPlace {
        let held = self.0.read().ok();
        let held = held.as_ref().and_then(|held| held.as_ref());
        match held.filter(|held| held.follows(epoch)) {
            Some(held) => held.place.clone(),
            None => LinkPlace::beginning(epoch),
        }
    }

    /// Takes in what came after [`Graph::place`], read after `epoch`. Returns how many bytes it has now.
    pub(super) fn take(&self, epoch: &EpochRecord, batch: LinkBatch) -> usize {
        let mut slot = self.0.write().unwrap_or_else(|broken| {
            self.0.clear_poison();
            let mut slot = broken.into_inner();
            *slot = None;
            slot
        });
        let is_followed = slot.as_ref().is_some_and(|held| held.follows(epoch));
        if !is_followed && let Some(lost) = slot.take() {
            super::discard(lost);
        }
        let held = slot.get_or_insert_with(|| Held::beginning(epoch));
        for (change, _) in batch.changes {
            held.links.apply(change);
        }
        held.place = match batch.caught_up {
            true => batch.place.past(epoch),
            false => batch.place,
        };
        held.links.bytes()
    }
}
