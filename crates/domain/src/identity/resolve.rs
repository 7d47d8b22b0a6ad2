//! Resolves ids to persons and customers: persons exactly as PostHog maps them, customers by a
//! shared customer id, and nothing joined that PostHog or the shop did not join (DESIGN.md
//! "Identity").

mod attempt;
mod known;

use std::collections::BTreeSet;

use uuid::Uuid;

use self::attempt::attempt;
use self::known::Known;
use super::{IdentityKey, IdentityLink};
use crate::connection::ConnectionId;
use crate::storage::{IdentityReader, Result};

/// The most calls of the reader for one batch of keys: a distinct id leads to its person, the
/// person's other ids, their customer ids, the ids that share one, and those ids' persons.
pub const MOST_CALLS: usize = 5;
/// The most links that one call may answer.
pub const MOST_LINKS: usize = 50_000;
/// The most ids that one call may ask for.
pub const MOST_ASKED: usize = 20_000;
/// The most distinct ids that one person, customer id, anonymous id or e-mail is followed to. More
/// than that is not a human being.
pub const MOST_IDS: usize = 200;

/// How an id was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityStatus {
    /// It is linked, to one customer id at most.
    Resolved,
    /// It is linked to more than one customer id: all are answered and none is primary.
    Conflict,
    /// Nothing is known of it.
    Unknown,
}

/// What belongs together with one id. All lists are sorted and without repetition.
///
/// The id leads to distinct ids, and those to their persons: these are its own. Its customer ids
/// are those that any distinct id of its own persons carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityAnswer {
    /// The id asked for, as asked.
    pub key: IdentityKey,
    /// How it was resolved.
    pub status: IdentityStatus,
    /// The one customer that it is: its only customer id, if each of its own persons carries it.
    pub primary_customer_id: Option<String>,
    /// All its customer ids.
    pub customer_ids: Vec<String>,
    /// Its own persons; for a distinct id or person also those that share the primary customer id.
    /// An e-mail or anonymous id lists persons without joining them.
    pub persons: Vec<Uuid>,
    /// The distinct ids of its own persons, and those that carry the primary customer id.
    pub distinct_ids: Vec<String>,
    /// The anonymous ids that the distinct ids carry.
    pub anonymous_ids: Vec<String>,
    /// The e-mails that the distinct ids are.
    pub emails: Vec<String>,
    /// The links on which all this rests.
    pub evidence: Vec<IdentityLink>,
    /// Whether there was more than can be followed, so that the lists are not whole.
    pub truncated: bool,
}

/// Resolves `keys`, in their order, with at most [`MOST_CALLS`] calls of `reader`. Surrounding
/// white space and the letter case of e-mails do not matter.
///
/// # Errors
/// Those of the reader.
pub async fn resolve(
    reader: &(impl IdentityReader + ?Sized),
    connection: ConnectionId,
    keys: &[IdentityKey],
) -> Result<Vec<IdentityAnswer>> {
    let mut known = Known::default();
    for call in 0.. {
        let mut missing = BTreeSet::new();
        let answers = keys
            .iter()
            .map(|key| attempt(key, &known, &mut missing))
            .collect();
        if missing.is_empty() || call == MOST_CALLS {
            return Ok(answers);
        }
        let asked: Vec<IdentityKey> = missing.iter().take(MOST_ASKED).cloned().collect();
        let links = reader.links_of(connection, &asked, MOST_LINKS).await?;
        known.learn(missing, links);
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests;
