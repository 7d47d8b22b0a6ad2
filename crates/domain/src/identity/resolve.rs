//! Resolves ids to persons and customers: persons exactly as PostHog maps them, customers by a
//! shared customer id, and nothing joined that PostHog or the shop did not join (DESIGN.md
//! "Identity").

mod attempt;
mod known;
mod memory;
mod reading;
mod sight;
mod walk;

use std::collections::BTreeSet;

use uuid::Uuid;

use self::attempt::attempt;
use self::known::Known;
use self::reading::{Reading, Wanted};
use self::sight::Sight;
use super::graph::Node;
use super::{IdentityKey, IdentityLink};
use crate::connection::ConnectionId;
use crate::storage::{IdentityReader, Result};

/// The most rounds of reading for one batch of keys: a distinct id leads to its person, the person's
/// other ids, their customer ids, the ids that share one, those ids' persons, those persons' other ids, and
/// the ids that PostHog was asked to merge with any of them.
const MOST_ROUNDS: usize = 8;
/// The most answers of one batch that are asked for again in two parts, because they were cut off. That is two
/// calls for each id with too many links, one of which reads as much as a call may.
const MOST_SPLITS: usize = 8;
/// The most calls of the reader for one batch of keys. A person's links tell whose its ids are, so in
/// each round such ids are asked about by themselves, for what they carry alone. Where no answer is cut
/// off there are at most 16.
pub const MOST_CALLS: usize = 2 * (MOST_ROUNDS + MOST_SPLITS);
/// The most links that one call may answer.
pub const MOST_LINKS: usize = 50_000;
/// The most ids that one call may ask for.
pub const MOST_ASKED: usize = 20_000;
/// The most distinct ids that one person, customer id, anonymous id or e-mail is followed to, and the
/// most customer ids, anonymous ids and merges that are answered. More is not a human being.
pub const MOST_IDS: usize = 200;
/// The most customer ids that one distinct id, anonymous id or e-mail may be seen with. One seen with
/// more is a shared device, a till or a test, and says nothing of who anybody is. Segment's default for
/// identifiers other than the user's own id is the same (ANCHORS.md E.1).
pub const MOST_CUSTOMERS: usize = 5;

/// How an id was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityStatus {
    /// It is linked, to one customer id at most.
    Resolved,
    /// It is linked to more than one customer id: all are answered and none is primary.
    Conflict,
    /// It, or all that could lead from it to a customer, was seen with more than [`MOST_CUSTOMERS`]
    /// customer ids: none is primary, and nothing is joined by it.
    Shared,
    /// Nothing is known of it.
    Unknown,
}

/// What became of a merge that PostHog was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MergeOutcome {
    /// Both distinct ids are one person's now.
    Accepted,
    /// They are two persons': PostHog refused it, or split them since.
    Refused,
    /// One of them has no person that is known here.
    Unknown,
}

/// A merge of two distinct ids that an event asked PostHog for. It explains and joins nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskedMerge<T = String> {
    /// Which ids, by what kind of event, and when that was said.
    pub link: IdentityLink<T>,
    /// What became of it.
    pub outcome: MergeOutcome,
}

/// What belongs together with one id. All lists are sorted and without repetition.
///
/// The id leads to distinct ids, and those to their persons: these are its own. Its customer ids
/// are those that any distinct id of its own persons carries, but for shared ones. `T` is how texts are
/// held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityAnswer<T = String> {
    /// The id asked for, as asked.
    pub key: IdentityKey<T>,
    /// How it was resolved.
    pub status: IdentityStatus,
    /// The one customer that it is: its only customer id, if each of its own persons carries it. None where
    /// its own persons, their distinct ids or what these carry are more than can be followed, for then
    /// nobody knows whether there is another.
    pub primary_customer_id: Option<T>,
    /// All its customer ids.
    pub customer_ids: Vec<T>,
    /// Its own persons, and those that share the primary customer id; an e-mail lists persons without
    /// joining others.
    pub persons: Vec<Uuid>,
    /// The distinct ids of its persons; of those that are another customer too without being its own, only
    /// such as carry the primary customer id.
    pub distinct_ids: Vec<T>,
    /// The anonymous ids that the distinct ids carry.
    pub anonymous_ids: Vec<T>,
    /// The e-mails that the distinct ids are.
    pub emails: Vec<T>,
    /// Distinct ids that were seen with more than [`MOST_CUSTOMERS`] customer ids: those are not told
    /// here and join nothing.
    pub shared_distinct_ids: Vec<T>,
    /// The links on which all this rests.
    pub evidence: Vec<IdentityLink<T>>,
    /// The merges that PostHog was asked for of any of the distinct ids with another, [`MOST_IDS`] at
    /// most.
    pub merges: Vec<AskedMerge<T>>,
    /// Whether there was more than can be followed, so that the lists are not whole, and what is not in
    /// them may be there all the same.
    pub truncated: bool,
}

impl<T> IdentityAnswer<T> {
    /// The answer about an id that nothing is known of.
    fn unknown(key: IdentityKey<T>) -> Self {
        Self {
            key,
            status: IdentityStatus::Unknown,
            primary_customer_id: None,
            customer_ids: Vec::new(),
            persons: Vec::new(),
            distinct_ids: Vec::new(),
            anonymous_ids: Vec::new(),
            emails: Vec::new(),
            shared_distinct_ids: Vec::new(),
            evidence: Vec::new(),
            merges: Vec::new(),
            truncated: false,
        }
    }
}

impl IdentityAnswer {
    /// The answer by itself, its texts its own.
    #[must_use]
    pub fn owned(answer: IdentityAnswer<&str>) -> Self {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let merges = answer.merges.into_iter().map(|merge| AskedMerge {
            link: merge.link.into_owned(),
            outcome: merge.outcome,
        });
        Self {
            key: answer.key.map(str::to_owned),
            status: answer.status,
            primary_customer_id: answer.primary_customer_id.map(str::to_owned),
            customer_ids: owned(answer.customer_ids),
            persons: answer.persons,
            distinct_ids: owned(answer.distinct_ids),
            anonymous_ids: owned(answer.anonymous_ids),
            emails: owned(answer.emails),
            shared_distinct_ids: owned(answer.shared_distinct_ids),
            evidence: answer
                .evidence
                .into_iter()
                .map(IdentityLink::into_owned)
                .collect(),
            merges: merges.collect(),
            truncated: answer.truncated,
        }
    }
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
    let mut reading = Reading::new(reader, connection);
    let mut known = Known::default();
    let wanted: Vec<Node> = keys
        .iter()
        .map(|key| known.node(key.folded().borrowed()))
        .collect();
    let mut answers: Vec<Option<IdentityAnswer>> = vec![None; keys.len()];
    for round in 0.. {
        let mut unread = BTreeSet::new();
        let is_last = round == MOST_ROUNDS;
        for ((key, wanted), answer) in keys.iter().zip(&wanted).zip(&mut answers) {
            if answer.is_none() {
                let attempt = attempt(*wanted, &known, usize::MAX, &mut unread);
                if attempt.is_whole || is_last {
                    let whole = attempt.into_answer(key.borrowed(), known.graph());
                    *answer = Some(IdentityAnswer::owned(whole));
                }
            }
        }
        if unread.is_empty() || is_last {
            break;
        }
        let [all, carried] = known.parted(unread);
        reading.read(&mut known, all, Wanted::All).await?;
        reading.read(&mut known, carried, Wanted::Carried).await?;
    }
    Ok(answers.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
