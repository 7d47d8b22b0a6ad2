//! Reads a large cohort by its buckets, and by fewer of them where those are too heavy for PostHog.

use std::collections::{BTreeMap, BTreeSet};

use domain::cohorts::{BucketRange, CohortBucket, CohortDigest, CohortId, CohortKind, digests_of};
use domain::storage::{CohortPart, CohortRecord};
use uuid::Uuid;

use super::parts::{Differing, differing, groups, lighter};
use super::read::Reader;
use crate::error::SyncError;

/// A cohort that is read by its buckets.
pub(super) struct Large<'r> {
    pub(super) record: &'r CohortRecord,
    /// Whether PostHog could not even give the digest of all of it.
    is_too_heavy: bool,
}

impl<'r> Large<'r> {
    /// One whose digest is known.
    pub(super) fn of(record: &'r CohortRecord) -> Self {
        Self {
            record,
            is_too_heavy: false,
        }
    }

    /// One whose digest PostHog could not give.
    pub(super) fn too_heavy(record: &'r CohortRecord) -> Self {
        Self {
            record,
            is_too_heavy: true,
        }
    }
}

impl Reader<'_> {
    /// Reads those buckets of a cohort that differ. Says whether the cohort stood still meanwhile.
    ///
    /// # Errors
    /// One that wants a smaller query when PostHog cannot answer about any part, however small. What was
    /// read before stays.
    pub(super) async fn read_large(
        &mut self,
        kind: CohortKind,
        large: &Large<'_>,
    ) -> Result<bool, SyncError> {
        let id = large.record.cohort.id;
        let remote = self.digests_of_buckets(kind, large).await?;
        let store = &self.session.ctx.store;
        let stored = store.bucket_digests(self.session.id, id).await?;
        let differing = differing(&remote, &stored);
        tracing::debug!(cohort = %id, buckets = differing.len(), "A cohort is read anew in part.");
        let mut left = groups(&differing, self.session.ctx.client.page_rows());
        left.reverse();
        let mut is_settled = true;
        while let Some(group) = left.pop() {
            match self.read_group(kind, id, group).await {
                Err(SyncError::PostHog(error))
                    if error.wants_smaller_query() && group.len() > 1 =>
                {
                    tracing::debug!(%error, cohort = %id, buckets = group.len(), "Fewer buckets are read.");
                    left.extend(lighter(group, Differing::members).into_iter().rev());
                }
                settled => is_settled &= settled?,
            }
        }
        Ok(is_settled)
    }

    /// The digest of each bucket. Those of one that changes meanwhile may be of several states of it; it is
    /// listed with another mark from then on, and so compared by the next run.
    async fn digests_of_buckets(
        &self,
        kind: CohortKind,
        large: &Large<'_>,
    ) -> Result<BTreeMap<CohortBucket, CohortDigest>, SyncError> {
        let (client, id) = (&self.session.ctx.client, large.record.cohort.id);
        let mut left = match BucketRange::ALL.halves() {
            Some(halves) if large.is_too_heavy => halves.to_vec(),
            _ => vec![BucketRange::ALL],
        };
        let mut digests = BTreeMap::new();
        while let Some(range) = left.pop() {
            let asked = self
                .session
                .asker
                .ask(|| client.bucket_digests(kind, id, range))
                .await;
            match asked {
                Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                    tracing::debug!(%error, cohort = %id, "Fewer buckets are compared.");
                    left.extend(range.halves().ok_or(error)?);
                }
                found => digests.extend(found?),
            }
        }
        Ok(digests)
    }

    async fn read_group(
        &mut self,
        kind: CohortKind,
        cohort: CohortId,
        group: &[Differing],
    ) -> Result<bool, SyncError> {
        let wanted: Vec<CohortBucket> = group
            .iter()
            .filter(|it| it.remote.members > 0)
            .map(|it| it.bucket)
            .collect();
        let mut members = self.members_of(kind, cohort, &wanted).await?;
        let found = digests_of(&members);
        let settled: BTreeSet<CohortBucket> = group
            .iter()
            .filter(|it| found.get(&it.bucket).copied().unwrap_or_default() == it.remote)
            .map(|it| it.bucket)
            .collect();
        members.retain(|person| settled.contains(&CohortBucket::of(*person)));
        let is_settled = settled.len() == group.len();
        self.store(CohortPart {
            cohort,
            buckets: Some(settled),
            members,
        })
        .await?;
        Ok(is_settled)
    }

    /// Everybody in these buckets, answer by answer.
    async fn members_of(
        &self,
        kind: CohortKind,
        cohort: CohortId,
        buckets: &[CohortBucket],
    ) -> Result<BTreeSet<Uuid>, SyncError> {
        let client = &self.session.ctx.client;
        let mut members = BTreeSet::new();
        if buckets.is_empty() {
            return Ok(members);
        }
        let mut after = None;
        loop {
            let page = self
                .session
                .asker
                .ask(|| client.bucket_members(kind, cohort, buckets, after))
                .await?;
            members.extend(page.persons);
            after = page.next;
            if after.is_none() {
                return Ok(members);
            }
        }
    }

    /// Takes everybody out of a cohort that is no more, in parts.
    pub(super) async fn empty(&mut self, gone: &CohortRecord) -> Result<(), SyncError> {
        if gone.members == 0 {
            return Ok(());
        }
        let id = gone.cohort.id;
        let store = &self.session.ctx.store;
        let stored = store.bucket_digests(self.session.id, id).await?;
        let all = differing(&BTreeMap::new(), &stored);
        for group in groups(&all, posthog::MAX_ROWS) {
            self.store(CohortPart {
                cohort: id,
                buckets: Some(group.iter().map(|it| it.bucket).collect()),
                members: BTreeSet::new(),
            })
            .await?;
        }
        Ok(())
    }
}
