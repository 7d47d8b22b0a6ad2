//! Follows every link of a connection: first all that hold, in their order, then what changes.
//!
//! Links that events carry and person mappings have change numbers of their own. A follower that
//! begins takes note of both, is told of all links page by page, and then of what changed since:
//! what moved under the first pass is told again, so that it comes out right wherever it was.

use serde::{Deserialize, Serialize};

use crate::connection::ConnectionId;
use crate::storage::{EpochRecord, IdentityReader, LinkChange, LinkKey, PersonChange, Result};

/// Changes of events that are looked at for links at once: most say nothing new.
const EVENTS_AT_ONCE: usize = 1_000;

/// A follower's place: everything before it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPlace {
    /// While all links are told for the first time.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    first_pass: Option<FirstPass>,
    /// Among the changes of events.
    #[serde(rename = "e")]
    facts: i64,
    /// Among the changes of person mappings.
    #[serde(rename = "m")]
    persons: i64,
}

/// How far the first pass came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FirstPass {
    #[serde(rename = "a")]
    after: Option<LinkKey>,
}

/// Some changes of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBatch {
    /// In the order in which they must be applied, each with the place that a follower has reached
    /// once it has applied all up to the last one of that place.
    pub changes: Vec<(LinkChange, LinkPlace)>,
    /// The place after all of them.
    pub place: LinkPlace,
    /// Whether that is what holds now.
    pub caught_up: bool,
    /// Whether what came after the place is forgotten, so that the follower must begin anew. It is told of
    /// nothing then.
    pub is_lost: bool,
}

impl LinkPlace {
    /// Before all links.
    pub fn beginning(epoch: &EpochRecord) -> Self {
        Self {
            first_pass: Some(FirstPass { after: None }),
            ..Self::now(epoch)
        }
    }

    /// Before the next change.
    pub fn now(epoch: &EpochRecord) -> Self {
        Self {
            first_pass: None,
            facts: epoch.change_seq,
            persons: epoch.link_seq,
        }
    }

    /// Whether not all links were told for the first time yet.
    #[must_use]
    pub fn is_in_first_pass(&self) -> bool {
        self.first_pass.is_some()
    }

    /// The place of a follower that has applied everything `epoch` had when it was read, and perhaps more:
    /// numbers whose changes have gone with what they changed count as reached.
    #[must_use]
    pub fn past(self, epoch: &EpochRecord) -> Self {
        Self {
            facts: self.facts.max(epoch.change_seq),
            persons: self.persons.max(epoch.link_seq),
            ..self
        }
    }

    /// Whether what comes after it cannot be told: it is so long ago that what went is forgotten, or
    /// of a history that the store does not have, as after a backup was restored.
    pub fn is_lost(&self, epoch: &EpochRecord) -> bool {
        self.facts < epoch.facts_known_from
            || self.facts > epoch.change_seq
            || self.persons > epoch.link_seq
    }
}

/// What comes after `place`: `limit` links at most where they are listed.
///
/// # Errors
/// Those of the reader.
pub async fn links_after(
    reader: &(impl IdentityReader + ?Sized),
    connection: ConnectionId,
    place: &LinkPlace,
    limit: usize,
) -> Result<LinkBatch> {
    let mut place = place.clone();
    let mut changes = Vec::new();
    if let Some(pass) = place.first_pass.take() {
        let found = reader
            .links(connection, false, pass.after.as_ref(), limit)
            .await?;
        let is_over = found.len() < limit;
        for (key, link) in found {
            place.first_pass = Some(FirstPass { after: Some(key) });
            changes.push((LinkChange::Upsert(link), place.clone()));
        }
        if is_over {
            place.first_pass = None;
        }
        return Ok(LinkBatch {
            changes,
            place,
            caught_up: false,
            is_lost: false,
        });
    }
    let facts = reader
        .fact_changes(connection, place.facts, EVENTS_AT_ONCE)
        .await?;
    // An erasure tells of nothing that went, and may have come since the follower looked at the epoch.
    if place.facts < facts.known_from {
        return Ok(LinkBatch {
            changes,
            place,
            caught_up: false,
            is_lost: true,
        });
    }
    for change in facts.changes {
        place.facts = change.seq;
        changes.push((change.change, place.clone()));
    }
    // What is reached is never less than what was told, but an epoch that is gone has reached nothing.
    place.facts = place.facts.max(facts.reached);
    let persons = reader
        .person_changes(connection, place.persons, limit)
        .await?;
    let caught_up = facts.is_last && persons.len() < limit;
    for PersonChange { seq, link } in persons {
        place.persons = seq;
        let change = match link.valid_to {
            None => LinkChange::Upsert(link),
            Some(_) => LinkChange::Ended(link),
        };
        changes.push((change, place.clone()));
    }
    Ok(LinkBatch {
        changes,
        place,
        caught_up,
        is_lost: false,
    })
}
