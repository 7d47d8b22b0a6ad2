use domain::identity::Evidence;
use jiff::Timestamp;
use proptest::prelude::*;
use prost::Message;
use uuid::Uuid;

use super::*;
use crate::answer::identity::{key, link};
use crate::proto::v1;

/// The message of an identity, made field by field as `prost` would have it.
fn message(answer: IdentityAnswer) -> v1::ResolvedIdentity {
    let merges = answer.merges.into_iter().map(|merge| v1::AskedMerge {
        identity_link: Some(link(merge.link)),
        outcome: match merge.outcome {
            MergeOutcome::Accepted => Outcome::Accepted,
            MergeOutcome::Refused => Outcome::Refused,
            MergeOutcome::Unknown => Outcome::Unknown,
        }
        .into(),
    });
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
        merges: merges.collect(),
    }
}

fn any_key() -> impl Strategy<Value = IdentityKey> {
    prop_oneof![
        ".{0,200}".prop_map(IdentityKey::DistinctId),
        any::<u128>().prop_map(|id| IdentityKey::Person(Uuid::from_u128(id))),
        ".{0,9}".prop_map(IdentityKey::CustomerId),
        ".{0,9}".prop_map(IdentityKey::AnonymousId),
        ".{0,9}".prop_map(IdentityKey::Email),
    ]
}

fn any_instant() -> impl Strategy<Value = Timestamp> {
    (-9_000_000_000_i64..9_000_000_000_000)
        .prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
}

fn any_link() -> impl Strategy<Value = IdentityLink> {
    let evidence = prop_oneof![
        Just(Evidence::PersonMapping),
        ".{0,9}".prop_map(Evidence::EventProperty),
        Just(Evidence::DistinctIdForm),
        Just(Evidence::Identify),
        Just(Evidence::Alias),
    ];
    let times = (
        any_instant(),
        prop::option::of(any_instant()),
        any_instant(),
    );
    (".{0,200}", any_key(), evidence, times).prop_map(|(distinct_id, to, evidence, times)| {
        IdentityLink {
            distinct_id,
            to,
            evidence,
            valid_from: times.0,
            valid_to: times.1,
            last_seen: times.2,
        }
    })
}

fn any_answer() -> impl Strategy<Value = IdentityAnswer> {
    let status = prop_oneof![
        Just(IdentityStatus::Resolved),
        Just(IdentityStatus::Conflict),
        Just(IdentityStatus::Shared),
        Just(IdentityStatus::Unknown),
    ];
    let outcome = prop_oneof![
        Just(MergeOutcome::Accepted),
        Just(MergeOutcome::Refused),
        Just(MergeOutcome::Unknown),
    ];
    let texts = || prop::collection::vec(".{0,9}", 0..4);
    let merge = (any_link(), outcome).prop_map(|(link, outcome)| AskedMerge { link, outcome });
    (
        (any_key(), status, prop::option::of(".{0,9}")),
        (texts(), texts(), texts(), texts(), texts()),
        prop::collection::vec(any::<u128>().prop_map(Uuid::from_u128), 0..4),
        prop::collection::vec(any_link(), 0..4),
        prop::collection::vec(merge, 0..4),
        any::<bool>(),
    )
        .prop_map(
            |(who, texts, persons, evidence, merges, truncated)| IdentityAnswer {
                key: who.0,
                status: who.1,
                primary_customer_id: who.2,
                customer_ids: texts.0,
                persons,
                distinct_ids: texts.1,
                anonymous_ids: texts.2,
                emails: texts.3,
                shared_distinct_ids: texts.4,
                evidence,
                merges,
                truncated,
            },
        )
}

proptest! {
    #[test]
    fn a_packed_identity_is_its_message(answers in prop::collection::vec(any_answer(), 1..4)) {
        let mut packed = PackedIdentities::new();
        for answer in answers {
            let bytes = packed.pack(&answer);
            let message = message(answer);
            prop_assert_eq!(bytes.len(), message.encoded_len());
            prop_assert_eq!(v1::ResolvedIdentity::decode(bytes).unwrap(), message);
        }
    }
}

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

fn packed(answers: &[IdentityAnswer]) -> v1::ResolveIdentitiesResponse {
    let mut packed = PackedIdentities::new();
    v1::ResolveIdentitiesResponse {
        identities: answers.iter().map(|it| packed.pack(it)).collect(),
    }
}

#[test]
fn a_thousand_identities_of_many_links_fit_into_one_message() {
    let answer = packed(&vec![answer(200); 1_000]);
    assert!(answer.encoded_len() < 3 * 1024 * 1024);
    let identities = v1::ResolvedIdentity::unpack(answer.identities).unwrap();
    assert_eq!(identities.len(), 1_000);
    // The evidence goes first, then the lists; never who it is.
    let whole = identities.iter().take_while(|it| !it.evidence.is_empty());
    let with_lists = identities
        .iter()
        .take_while(|it| !it.distinct_ids.is_empty());
    let (whole, with_lists) = (whole.count(), with_lists.count());
    assert!(0 < whole && whole < with_lists && with_lists < 1_000);
    for (number, identity) in identities.iter().enumerate() {
        assert_eq!(identity.truncated, number >= whole);
        assert_eq!(identity.primary_customer_id(), "77");
    }
}

#[test]
fn what_fits_is_answered_whole() {
    let answer = packed(&vec![answer(2); 10]);
    let identities = v1::ResolvedIdentity::unpack(answer.identities).unwrap();
    assert!(
        identities
            .iter()
            .all(|it| !it.truncated && it.evidence.len() == 2)
    );
}
