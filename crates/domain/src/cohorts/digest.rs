//! A few bytes that tell whether two sets of persons are the same.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::CohortBucket;

/// What ClickHouse answers to `count(), groupBitXor(cityHash64(toString(person_id)))` over a set of
/// persons: two sets of the same digest are the same, but for one chance in 2^64. PostHog reckons it
/// of its rows and this product of what it read of them, so that an equal digest also proves that
/// every row came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CohortDigest {
    /// How many persons.
    pub members: u64,
    /// The hashes of all of them, each exclusive-or the others.
    pub hash: u64,
}

impl CohortDigest {
    /// The digest of these persons, each named once.
    #[must_use]
    pub fn of<'a>(persons: impl IntoIterator<Item = &'a Uuid>) -> Self {
        let mut digest = Self::default();
        for person in persons {
            digest.add(*person);
        }
        digest
    }

    /// Takes one more person in.
    pub fn add(&mut self, person: Uuid) {
        let mut text = Uuid::encode_buffer();
        let text = person.hyphenated().encode_lower(&mut text);
        self.members += 1;
        self.hash ^= ch_cityhash102::cityhash64(text.as_bytes());
    }

    /// The digest of two sets together that have nobody in common.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            members: self.members + other.members,
            hash: self.hash ^ other.hash,
        }
    }
}

impl std::iter::Sum for CohortDigest {
    fn sum<I: Iterator<Item = Self>>(digests: I) -> Self {
        digests.fold(Self::default(), Self::with)
    }
}

/// The digest of each bucket that has any of these persons, each named once.
#[must_use]
pub fn digests_of<'a>(
    persons: impl IntoIterator<Item = &'a Uuid>,
) -> BTreeMap<CohortBucket, CohortDigest> {
    let mut digests: BTreeMap<CohortBucket, CohortDigest> = BTreeMap::new();
    for person in persons {
        digests
            .entry(CohortBucket::of(*person))
            .or_default()
            .add(*person);
    }
    digests
}
