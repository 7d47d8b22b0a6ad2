//! What of a cohort is read and stored at once: as much as one answer of PostHog holds, which bounds
//! memory and transactions too.

use std::collections::BTreeMap;

use domain::cohorts::{CohortBucket, CohortDigest};

/// A bucket that differs: its digest in PostHog, and the members stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Differing {
    pub(super) bucket: CohortBucket,
    pub(super) remote: CohortDigest,
    stored: u64,
}

impl Differing {
    /// How many members it has, or had.
    pub(super) fn members(&self) -> u64 {
        self.remote.members.max(self.stored)
    }
}

/// The buckets that differ, in order.
pub(super) fn differing(
    remote: &BTreeMap<CohortBucket, CohortDigest>,
    stored: &BTreeMap<CohortBucket, CohortDigest>,
) -> Vec<Differing> {
    let mut all: BTreeMap<CohortBucket, (CohortDigest, CohortDigest)> = BTreeMap::new();
    for (bucket, digest) in remote {
        all.entry(*bucket).or_default().0 = *digest;
    }
    for (bucket, digest) in stored {
        all.entry(*bucket).or_default().1 = *digest;
    }
    all.into_iter()
        .filter(|(_, (remote, stored))| remote != stored)
        .map(|(bucket, (remote, stored))| Differing {
            bucket,
            remote,
            stored: stored.members,
        })
        .collect()
}

/// The buckets in groups that neither have nor had more members than `rows`, but for a bucket that
/// alone has more.
pub(super) fn groups(differing: &[Differing], rows: usize) -> Vec<&[Differing]> {
    grouped(differing, rows, Differing::members)
}

/// The items of a group that was too heavy, in groups of half its weight at most, but for an item that
/// alone weighs more: several items in several groups.
pub(super) fn lighter<T>(items: &[T], weight: impl Fn(&T) -> u64) -> Vec<&[T]> {
    // Something, so that no two groups are one; and not so much that a sum of them has no room.
    let weight = |item: &T| weight(item).clamp(1, u64::from(u32::MAX));
    let total: u64 = items.iter().map(weight).sum();
    let half = usize::try_from(total / 2).unwrap_or(usize::MAX);
    grouped(items, half, weight)
}

/// Items in groups that weigh no more than `most` together, but for an item that alone weighs more.
pub(super) fn grouped<T>(items: &[T], most: usize, weight: impl Fn(&T) -> u64) -> Vec<&[T]> {
    let most = most as u64;
    let mut groups = Vec::new();
    let (mut start, mut total) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        let weight = weight(item);
        if at > start && total + weight > most {
            groups.push(&items[start..at]);
            (start, total) = (at, 0);
        }
        total += weight;
    }
    if start < items.len() {
        groups.push(&items[start..]);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(buckets: &[(u16, u64, u64)]) -> BTreeMap<CohortBucket, CohortDigest> {
        let digest = |(bucket, members, hash)| {
            let bucket = CohortBucket::from_number(bucket).unwrap();
            (bucket, CohortDigest { members, hash })
        };
        buckets.iter().copied().map(digest).collect()
    }

    #[test]
    fn buckets_differ_that_are_on_one_side_only_or_not_alike() {
        let remote = digests(&[(1, 5, 1), (2, 5, 2), (3, 5, 3)]);
        let stored = digests(&[(2, 5, 2), (3, 5, 9), (4, 7, 4)]);
        let found = differing(&remote, &stored);
        let found: Vec<(u16, u64, u64)> = found
            .iter()
            .map(|it| (it.bucket.number(), it.remote.members, it.stored))
            .collect();
        assert_eq!(found, [(1, 5, 0), (3, 5, 5), (4, 0, 7)]);
        assert!(differing(&remote, &remote).is_empty());
    }

    #[test]
    fn what_was_too_heavy_is_split_by_weight_and_several_items_always() {
        let split = |weights: &[u64]| -> Vec<usize> {
            let parts = lighter(weights, |weight| *weight);
            assert_eq!(parts.concat(), weights);
            parts.into_iter().map(<[u64]>::len).collect()
        };
        assert_eq!(split(&[1, 1, 1, 1]), [2, 2]);
        assert_eq!(split(&[1, 2, 3, 900]), [3, 1]);
        assert_eq!(split(&[0, 0, 0]), [1, 1, 1]);
        assert_eq!(split(&[u64::MAX, u64::MAX]), [1, 1]);
        assert_eq!(split(&[5]), [1]);
    }

    #[test]
    fn groups_hold_everything_in_order_and_no_more_than_fits() {
        let weights: [u64; 8] = [3, 4, 3, 11, 0, 0, 10, 1];
        let groups = grouped(&weights, 10, |weight| *weight);
        let expected: [&[u64]; 4] = [&[3, 4, 3], &[11], &[0, 0, 10], &[1]];
        assert_eq!(groups, expected);
        assert!(grouped(&[] as &[u64], 10, |weight| *weight).is_empty());
    }
}
