//! Ids by number. The number of one that is forgotten is given to another.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::links::Chain;
use super::slots::Slots;
use crate::identity::IdentityKey;

/// The number of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct Node(u32);

/// An id and its links.
#[derive(Debug)]
pub(super) struct Id {
    name: IdentityKey<Box<str>>,
    /// Its links as their distinct id.
    pub(super) from: Chain,
    /// The links to it.
    pub(super) to: Chain,
}

/// All ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// By number. What was forgotten has an empty name, which nobody finds.
    ids: Slots<Id>,
    text_bytes: usize,
}

impl Ids {
    /// The number of an id, which is there from now on.
    pub(super) fn put(&mut self, key: IdentityKey<&str>) -> Node {
        if let Some(node) = self.find(key) {
            return node;
        }
        let name = key.map(Box::from);
        self.text_bytes += text_bytes(&name);
        let number = self.ids.put(Id {
            name,
            from: Chain::default(),
            to: Chain::default(),
        });
        let (ids, hasher) = (&self.ids, &self.hasher);
        let hash = |number: &u32| hasher.hash_one(ids[*number].name.borrowed());
        self.numbers.insert_unique(hash(&number), number, hash);
        Node(number)
    }

    /// The number of an id that is there.
    pub(super) fn find(&self, key: IdentityKey<&str>) -> Option<Node> {
        let is_it = |number: &u32| self.ids[*number].name.borrowed() == key;
        let found = self.numbers.find(self.hasher.hash_one(key), is_it);
        found.copied().map(Node)
    }

    /// Forgets an id that no link touches.
    pub(super) fn forget(&mut self, node: Node) {
        let hash = self.hasher.hash_one(self.key(node));
        if let Ok(found) = self.numbers.find_entry(hash, |number| *number == node.0) {
            found.remove();
            let id = &mut self.ids[node.0];
            self.text_bytes -= text_bytes(&id.name);
            id.name = IdentityKey::DistinctId(Box::default());
            self.ids.free(node.0);
        }
    }

    pub(super) fn get(&self, node: Node) -> &Id {
        &self.ids[node.0]
    }

    pub(super) fn get_mut(&mut self, node: Node) -> &mut Id {
        &mut self.ids[node.0]
    }

    pub(super) fn key(&self, node: Node) -> IdentityKey<&str> {
        self.get(node).name.borrowed()
    }

    /// How many ids are there, and of how many bytes their texts are.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.numbers.len(), self.text_bytes)
    }

    pub(super) fn bytes(&self) -> usize {
        self.text_bytes + self.numbers.allocation_size() + self.ids.bytes()
    }
}

impl Node {
    /// The place of what is kept of it elsewhere.
    pub(in super::super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Bytes that an id takes beside itself.
fn text_bytes(name: &IdentityKey<Box<str>>) -> usize {
    name.borrowed().text().map_or(0, str::len)
}
