//! Reads links of a batch into what is known. What one call cannot answer whole is asked for again in two
//! parts, so that an id with more links than an answer holds takes none of the other ids' links.

use std::collections::BTreeSet;

use super::known::Known;
use super::sight::Sight;
use super::{MOST_LINKS, MOST_SPLITS};
use crate::connection::ConnectionId;
use crate::identity::graph::Node;
use crate::identity::{IdentityKey, IdentityLink};
use crate::storage::{IdentityReader, Result};

/// Which links of ids are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// All.
    All,
    /// Those of distinct ids but for their persons.
    Carried,
}

/// The calls of one batch.
pub(super) struct Reading<'a, R: ?Sized> {
    reader: &'a R,
    connection: ConnectionId,
    /// How many more answers may be asked for again.
    splits: usize,
}

impl<'a, R: IdentityReader + ?Sized> Reading<'a, R> {
    /// No call has been made.
    pub(super) fn new(reader: &'a R, connection: ConnectionId) -> Self {
        Self {
            reader,
            connection,
            splits: MOST_SPLITS,
        }
    }

    /// Reads the links of `nodes`. Those of which they were perhaps not all answered are partial.
    pub(super) async fn read(
        &mut self,
        known: &mut Known,
        nodes: BTreeSet<Node>,
        wanted: Wanted,
    ) -> Result<()> {
        let mut parts = vec![known.asked(nodes)];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let links = self.links(known, &part, wanted).await?;
            // The reader cuts an answer off without saying where each id's links end.
            let is_full = links.len() >= MOST_LINKS;
            known.learn(&part, &links, is_full);
            if is_full && part.len() > 1 && self.splits > 0 {
                self.splits -= 1;
                // The last one is next: of few links each are most ids.
                parts.extend(known.halves(part));
            }
        }
        Ok(())
    }

    async fn links(
        &self,
        known: &Known,
        part: &[Node],
        wanted: Wanted,
    ) -> Result<Vec<IdentityLink>> {
        let keys = part.iter().map(|node| known.graph().key(*node));
        match wanted {
            Wanted::All => {
                let keys: Vec<IdentityKey> = keys.map(|key| key.map(str::to_owned)).collect();
                let links = self.reader.links_of(self.connection, &keys, MOST_LINKS);
                links.await
            }
            Wanted::Carried => {
                let ids: Vec<String> = keys
                    .filter_map(IdentityKey::text)
                    .map(str::to_owned)
                    .collect();
                let links = self.reader.links_carried(self.connection, &ids, MOST_LINKS);
                links.await
            }
        }
    }
}
