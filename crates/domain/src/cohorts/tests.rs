use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::{BucketRange, CohortBucket, CohortDigest, digests_of};

fn person(text: &str) -> Uuid {
    text.parse().unwrap_or_default()
}

/// As ClickHouse orders uuids: by their second half, then by their first.
fn clickhouse_order(id: Uuid) -> (u64, u64) {
    let (first, second) = id.as_u64_pair();
    (second, first)
}

#[test]
fn the_bucket_of_a_person_is_read_off_its_id() {
    let bucket = CohortBucket::of(person("01890a5d-ac96-774b-8f3a-1234567890ab"));
    assert_eq!(bucket.digits(), "8f3");
    assert_eq!("8f3".parse(), Ok(bucket));
    assert_eq!(
        bucket.first(),
        person("00000000-0000-0000-8f30-000000000000")
    );
    assert_eq!(
        bucket.last(),
        person("ffffffff-ffff-ffff-8f3f-ffffffffffff")
    );
    assert_eq!(CohortBucket::from_number(bucket.number()), Some(bucket));
}

#[test]
fn what_is_no_bucket_is_refused() {
    for text in ["", "8f", "8f34", "8F3", "8g3", "+f3", "é3"] {
        assert!(text.parse::<CohortBucket>().is_err(), "{text}");
    }
    assert_eq!(CohortBucket::from_number(4_096), None);
}

#[test]
fn halved_again_and_again_the_buckets_are_all_there_and_those_of_posthogs_ids_apart() {
    let (mut left, mut parts) = (vec![BucketRange::ALL], Vec::new());
    while let Some(range) = left.pop() {
        match range.halves() {
            Some(halves) => left.extend(halves),
            None => parts.push((range.first().number(), range.last().number())),
        }
    }
    parts.sort_unstable();
    assert_eq!(parts.len(), 1_024);
    assert_eq!(parts[0], (0, 0x800));
    assert!(parts.windows(2).all(|two| two[0].1 + 1 == two[1].0));
    assert!(parts[1..1_023].iter().all(|(first, last)| first == last));
    assert_eq!(parts[1_023], (0xbff, 0xfff));
}

#[test]
fn the_digest_of_two_sets_together_is_made_of_theirs() {
    assert_eq!(CohortDigest::of([]), CohortDigest::default());
    let one = person("01890a5d-ac96-774b-8f3a-1234567890ab");
    let two = person("c0ffee00-0000-4000-8000-000000000001");
    let both = CohortDigest::of([&one, &two]);
    assert_eq!(
        both,
        CohortDigest::of([&two]).with(CohortDigest::of([&one]))
    );
    assert_eq!(both.members, 2);
    assert_ne!(both.hash, 0);
}

proptest! {
    #[test]
    fn a_bucket_is_one_range_of_clickhouses_order(id: u128, other in 0_u16..4_096) {
        let id = Uuid::from_u128(id);
        let own = CohortBucket::of(id);
        let place = clickhouse_order(id);
        prop_assert!(clickhouse_order(own.first()) <= place && place <= clickhouse_order(own.last()));
        let other = CohortBucket::from_number(other).unwrap_or(own);
        let within = clickhouse_order(other.first()) <= place && place <= clickhouse_order(other.last());
        prop_assert_eq!(within, other == own);
    }

    #[test]
    fn digests_of_buckets_add_up_to_that_of_the_whole(ids: BTreeSet<u128>) {
        let people: Vec<Uuid> = ids.into_iter().map(Uuid::from_u128).collect();
        let whole: CohortDigest = digests_of(&people).into_values().sum();
        prop_assert_eq!(whole, CohortDigest::of(&people));
    }

    #[test]
    fn sets_that_differ_have_digests_that_differ(one: BTreeSet<u64>, two: BTreeSet<u64>) {
        let digest = |ids: &BTreeSet<u64>| -> CohortDigest {
            let people: Vec<Uuid> = ids.iter().map(|id| Uuid::from_u128(u128::from(*id))).collect();
            CohortDigest::of(&people)
        };
        prop_assert_eq!(digest(&one) == digest(&two), one == two);
    }
}
