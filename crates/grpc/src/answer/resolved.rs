//! What ids were resolved to, cut down to what one answer can hold.

use domain::identity::{AskedMerge, IdentityAnswer, IdentityStatus, MergeOutcome};
use prost::Message;

use super::identity::{key, link};
use crate::proto::v1;
use crate::proto::v1::asked_merge::Outcome;
use crate::proto::v1::resolved_identity::Status;

/// Bytes for everything beyond the keys themselves. Clients refuse messages over 4 MiB by
/// default, and the keys of a request, which are repeated here, take up to 1 MiB.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The answers in their order. What no longer fits loses its evidence and merges first, then its lists, and
/// is marked as truncated.
pub(crate) fn resolved_identities(answers: Vec<IdentityAnswer>) -> Vec<v1::ResolvedIdentity> {
    let mut left = MAX_BYTES;
    answers
        .into_iter()
        .map(|answer| cut_down(resolved(answer), &mut left))
        .collect()
}

/// How an id was resolved, as the API says it.
pub(crate) fn resolved_status(status: IdentityStatus) -> Status {
    match status {
        IdentityStatus::Resolved => Status::Resolved,
        IdentityStatus::Conflict => Status::Conflict,
        IdentityStatus::Shared => Status::Shared,
        IdentityStatus::Unknown => Status::Unknown,
    }
}

fn resolved(answer: IdentityAnswer) -> v1::ResolvedIdentity {
    v1::ResolvedIdentity {
        key: Some(key(answer.key)),
        status: resolved_status(answer.status).into(),
        primary_customer_id: answer.primary_customer_id,
        customer_ids: answer.customer_ids,
        person_ids: answer.persons.iter().map(ToString::to_string).collect(),
        distinct_ids: answer.distinct_ids,
        anonymous_ids: answer.anonymous_ids,
        emails: answer.emails,
        evidence: answer.evidence.into_iter().map(link).collect(),
        truncated: answer.truncated,
        shared_distinct_ids: answer.shared_distinct_ids,
        merges: answer.merges.into_iter().map(merge).collect(),
    }
}

fn merge(merge: AskedMerge) -> v1::AskedMerge {
    let outcome = match merge.outcome {
        MergeOutcome::Accepted => Outcome::Accepted,
        MergeOutcome::Refused => Outcome::Refused,
        MergeOutcome::Unknown => Outcome::Unknown,
    };
    v1::AskedMerge {
        identity_link: Some(link(merge.link)),
        outcome: outcome.into(),
    }
}

/// Takes what the identity needs from what is left, or less of the identity.
fn cut_down(mut whole: v1::ResolvedIdentity, left: &mut usize) -> v1::ResolvedIdentity {
    if !takes(&whole, left) {
        whole.evidence.clear();
        whole.merges.clear();
        whole.truncated = true;
        if !takes(&whole, left) {
            return v1::ResolvedIdentity {
                key: whole.key,
                status: whole.status,
                primary_customer_id: whole.primary_customer_id,
                truncated: true,
                ..Default::default()
            };
        }
    }
    whole
}

/// Takes what the identity needs, if so much is left.
fn takes(identity: &v1::ResolvedIdentity, left: &mut usize) -> bool {
    let rest = left.checked_sub(identity.encoded_len());
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use domain::identity::{Evidence, IdentityKey, IdentityLink};
    use jiff::Timestamp;

    use super::*;

    fn answer(links: usize) -> IdentityAnswer {
        let link = |number| IdentityLink {
            distinct_id: format!("{number:0>200}"),
            to: IdentityKey::CustomerId("77".to_owned()),
            evidence: Evidence::PersonMapping,
            valid_from: Timestamp::UNIX_EPOCH,
            valid_to: None,
            last_seen: Timestamp::UNIX_EPOCH,
        };
        let evidence: Vec<IdentityLink> = (0..links).map(link).collect();
        IdentityAnswer {
            key: IdentityKey::CustomerId("77".to_owned()),
            status: IdentityStatus::Resolved,
            primary_customer_id: Some("77".to_owned()),
            customer_ids: vec!["77".to_owned()],
            persons: Vec::new(),
            distinct_ids: evidence.iter().map(|it| it.distinct_id.clone()).collect(),
            anonymous_ids: Vec::new(),
            emails: Vec::new(),
            evidence,
            shared_distinct_ids: Vec::new(),
            merges: Vec::new(),
            truncated: false,
        }
    }

    #[test]
    fn a_thousand_identities_of_many_links_fit_into_one_message() {
        let answer = v1::ResolveIdentitiesResponse {
            identities: resolved_identities(vec![answer(200); 1_000]),
        };
        assert!(answer.encoded_len() < 3 * 1024 * 1024);
        assert_eq!(answer.identities.len(), 1_000);
        let last = answer.identities.last().unwrap();
        assert!(last.truncated && last.evidence.is_empty());
        assert_eq!(last.primary_customer_id(), "77");
    }

    #[test]
    fn what_fits_is_answered_whole() {
        let answers = resolved_identities(vec![answer(2); 10]);
        assert!(
            answers
                .iter()
                .all(|it| !it.truncated && it.evidence.len() == 2)
        );
    }
}
