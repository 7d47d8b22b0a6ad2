//! Resolving from a graph that is held in memory whole.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::IdentityAnswer;
use super::attempt::attempt;
use super::sight::{Reach, Sight};
use crate::identity::IdentityKey;
use crate::identity::graph::{IdentityGraph, Node};

/// The most links of an id that are walked in memory. No human being has as many; a till or a test has.
const MOST_OF_ID: usize = 1_000;
/// The most links for each key that the keys of one call may come by between them, each as often as it is come
/// by. For most keys they are some fifty; where ids of ids of ids have many, a few keys could keep a server
/// busy for minutes.
const MOST_OF_KEY: usize = 1_000;

/// Keys whose walks are looked ahead of at once.
const LOOKED_AHEAD: usize = 32;
/// From an id to its person, and to the person's other ids.
const STEPS_AHEAD: usize = 2;
/// The most links of an id that are looked at ahead: beyond, there is more to lose than to win.
const MOST_LOOKED_AT: usize = 16;

impl Sight for IdentityGraph {
    fn graph(&self) -> &IdentityGraph {
        self
    }

    fn reach(&self, node: Node) -> Reach {
        if self.degree(node) <= MOST_OF_ID {
            Reach::Whole
        } else {
            Reach::Unread
        }
    }
}

impl IdentityGraph {
    /// Resolves `keys`, in their order, exactly as [`super::resolve`] does from a store with the same links,
    /// and hands each answer to `take`. None for those that lead to more links than are walked in memory:
    /// resolve them from the store, which cuts an id off where it has too many. `mappings_read` is
    /// when all mappings were last read, and so the least last sight of each that holds.
    pub fn resolve<'a, A>(
        &'a self,
        keys: &'a [IdentityKey],
        mappings_read: Option<Timestamp>,
        mut take: impl FnMut(IdentityAnswer<&'a str>) -> A,
    ) -> Vec<Option<A>> {
        let mut unread = BTreeSet::new();
        let mut left = keys.len() * MOST_OF_KEY;
        let mut resolved = Vec::with_capacity(keys.len());
        for keys in keys.chunks(LOOKED_AHEAD) {
            let wanted = keys.iter().map(|key| self.find(key.folded().borrowed()));
            let wanted: Vec<Option<Node>> = wanted.collect();
            self.look_ahead(&wanted);
            for (key, wanted) in keys.iter().zip(wanted) {
                let Some(wanted) = wanted else {
                    resolved.push(Some(take(IdentityAnswer::unknown(key.borrowed()))));
                    continue;
                };
                let attempt = attempt(wanted, self, left, &mut unread);
                left = attempt.left;
                resolved.push(attempt.is_whole.then(|| {
                    let mut answer = attempt.into_answer(key.borrowed(), self);
                    if let Some(read) = mappings_read {
                        see_again(&mut answer, read);
                    }
                    take(answer)
                }));
            }
        }
        resolved
    }

    /// Looks at what walks from these ids will come by. Each step of a walk waits for memory; steps of
    /// many walks side by side wait together.
    fn look_ahead(&self, wanted: &[Option<Node>]) {
        let mut nodes: Vec<Node> = wanted.iter().copied().flatten().collect();
        let mut next = Vec::new();
        for _ in 0..STEPS_AHEAD {
            for node in nodes.drain(..) {
                if self.degree(node) <= MOST_LOOKED_AT {
                    next.extend(self.links_from(node).map(|edge| edge.to));
                    next.extend(self.links_to(node).map(|edge| edge.from));
                }
            }
            std::mem::swap(&mut nodes, &mut next);
        }
        // Nobody needs them: without this the looking is left out.
        std::hint::black_box(nodes);
    }
}

/// Mappings are not told again when they are only seen again.
fn see_again(answer: &mut IdentityAnswer<&str>, read: Timestamp) {
    for link in &mut answer.evidence {
        if matches!(link.to, IdentityKey::Person(_)) {
            link.last_seen = link.last_seen.max(read);
        }
    }
}
