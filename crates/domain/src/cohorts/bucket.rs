//! The shares in which a large cohort is compared and read.

use std::str::FromStr;

use uuid::Uuid;

/// A share of a cohort's members, by the first three hex digits of the fourth group of a person's id:
/// `…-8f3…-…` is in bucket `8f3`. These are the bits at which ClickHouse begins to order uuids, so
/// that each bucket is one range of PostHog's tables, and in all ids that PostHog gives, two of them
/// are fixed and ten random: 1,024 buckets of like size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CohortBucket(u16);

/// The first number that no bucket has.
const BEYOND: u16 = 1 << 12;
/// The first and the last bucket of ids that PostHog gives: those whose first two bits are `10`.
const GIVEN: (u16, u16) = (0x800, 0xbff);

impl CohortBucket {
    /// The bucket of a person.
    #[must_use]
    pub fn of(person: Uuid) -> Self {
        let [.., high, low, _, _, _, _, _, _] = *person.as_bytes();
        Self(u16::from_be_bytes([high, low]) >> 4)
    }

    /// The bucket of that number; none from 4,096 on.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        (number < BEYOND).then_some(Self(number))
    }

    /// Its number, 0 to 4,095.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }

    /// Its digits: three, in lower case.
    #[must_use]
    pub fn digits(self) -> String {
        format!("{:03x}", self.0)
    }

    /// The least id of the bucket in ClickHouse's order of uuids, which begins with their second half.
    #[must_use]
    pub fn first(self) -> Uuid {
        Uuid::from_u64_pair(0, u64::from(self.0) << 52)
    }

    /// The greatest id of the bucket in ClickHouse's order of uuids.
    #[must_use]
    pub fn last(self) -> Uuid {
        Uuid::from_u64_pair(u64::MAX, (u64::from(self.0) << 52) | (u64::MAX >> 12))
    }
}

/// Buckets that lie beside each other, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRange {
    first: CohortBucket,
    last: CohortBucket,
}

impl BucketRange {
    /// Every bucket.
    pub const ALL: Self = Self {
        first: CohortBucket(0),
        last: CohortBucket(BEYOND - 1),
    };

    /// Its first bucket.
    #[must_use]
    pub fn first(self) -> CohortBucket {
        self.first
    }

    /// Its last bucket.
    #[must_use]
    pub fn last(self) -> CohortBucket {
        self.last
    }

    /// Two ranges that are this one together, each with half of those buckets that ids of PostHog fall
    /// into; none when it has no two of these.
    #[must_use]
    pub fn halves(self) -> Option<[Self; 2]> {
        let (first, last) = (self.first.0.max(GIVEN.0), self.last.0.min(GIVEN.1));
        let middle = (first < last).then_some(u16::midpoint(first, last))?;
        let lower = Self {
            last: CohortBucket(middle),
            ..self
        };
        let upper = Self {
            first: CohortBucket(middle + 1),
            ..self
        };
        Some([lower, upper])
    }
}

/// A text that is not three hex digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bucket is three hex digits in lower case")]
pub struct InvalidBucket;

impl FromStr for CohortBucket {
    type Err = InvalidBucket;

    fn from_str(digits: &str) -> Result<Self, InvalidBucket> {
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != 3 || !digits.bytes().all(lower) {
            return Err(InvalidBucket);
        }
        u16::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_| InvalidBucket)
    }
}
