//! Compares cohorts with PostHog's and reads what differs.

use std::collections::{BTreeMap, BTreeSet};

use domain::cohorts::{CohortBucket, CohortDigest, CohortId, CohortKind, digests_of};
use domain::storage::{CohortPart, CohortRead, CohortRecord};
use jiff::Timestamp;
use uuid::Uuid;

use super::parts::{Differing, differing, grouped, groups};
use crate::error::SyncError;
use crate::session::Session;
use crate::summary::CohortSummary;

/// One run's reading of cohorts.
pub(super) struct Reader<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) summary: CohortSummary,
}

impl<'a> Reader<'a> {
    pub(super) fn new(session: &'a Session<'a>) -> Self {
        Self {
            session,
            summary: CohortSummary::default(),
        }
    }

    /// Compares cohorts of one kind, and reads and stores those that differ. Returns those that
    /// changed while they were read.
    pub(super) async fn compare<'r>(
        &mut self,
        kind: CohortKind,
        due: Vec<&'r CohortRecord>,
    ) -> Result<Vec<&'r CohortRecord>, SyncError> {
        let (client, store) = (&self.session.ctx.client, &self.session.ctx.store);
        let compared_at = self.session.ctx.clock.now();
        let ids: Vec<CohortId> = due.iter().map(|it| it.cohort.id).collect();
        let remote = self
            .session
            .asker
            .ask(|| client.cohort_digests(kind, &ids))
            .await?;
        let (mut same, mut small, mut large) = (Vec::new(), Vec::new(), Vec::new());
        for record in due {
            let id = record.cohort.id;
            let remote = remote.get(&id).copied().unwrap_or_default();
            let stored = store.bucket_digests(self.session.id, id).await?;
            let stored: CohortDigest = stored.into_values().sum();
            if stored == remote {
                same.push(record);
            } else if remote.members.max(stored.members) <= client.page_rows() as u64 {
                small.push((record, remote));
            } else {
                large.push(record);
            }
        }
        self.summary.unchanged += same.len() as u64;
        self.note_read(&same, compared_at).await?;
        let mut unsettled = Vec::new();
        for batch in grouped(&small, client.page_rows(), |(_, digest)| digest.members) {
            unsettled.extend(self.read_small(kind, batch, compared_at).await?);
        }
        for record in large {
            if self.read_large(kind, record).await? {
                self.note_read(&[record], compared_at).await?;
            } else {
                unsettled.push(record);
            }
        }
        Ok(unsettled)
    }

    /// Reads cohorts whole that fit one answer together. Returns those that changed meanwhile.
    async fn read_small<'r>(
        &mut self,
        kind: CohortKind,
        batch: &[(&'r CohortRecord, CohortDigest)],
        compared_at: Timestamp,
    ) -> Result<Vec<&'r CohortRecord>, SyncError> {
        let client = &self.session.ctx.client;
        let ids: Vec<CohortId> = batch
            .iter()
            .filter(|(_, digest)| digest.members > 0)
            .map(|(record, _)| record.cohort.id)
            .collect();
        let mut found = BTreeMap::new();
        if !ids.is_empty() {
            found = self
                .session
                .asker
                .ask(|| client.cohort_members(kind, &ids))
                .await?;
        }
        let (mut read, mut unsettled) = (Vec::new(), Vec::new());
        for (record, digest) in batch {
            let members = found.remove(&record.cohort.id).unwrap_or_default();
            let members: BTreeSet<Uuid> = members.into_iter().collect();
            if CohortDigest::of(&members) != *digest {
                unsettled.push(*record);
                continue;
            }
            self.store(CohortPart {
                cohort: record.cohort.id,
                buckets: None,
                members,
            })
            .await?;
            read.push(*record);
        }
        self.note_read(&read, compared_at).await?;
        Ok(unsettled)
    }

    /// Reads those buckets of a cohort that differ. Says whether the cohort stood still meanwhile.
    async fn read_large(
        &mut self,
        kind: CohortKind,
        record: &CohortRecord,
    ) -> Result<bool, SyncError> {
        let (client, id) = (&self.session.ctx.client, record.cohort.id);
        let remote = self
            .session
            .asker
            .ask(|| client.bucket_digests(kind, id))
            .await?;
        let store = &self.session.ctx.store;
        let stored = store.bucket_digests(self.session.id, id).await?;
        let differing = differing(&remote, &stored);
        tracing::debug!(cohort = %id, buckets = differing.len(), "A cohort is read anew in part.");
        let mut is_settled = true;
        for group in groups(&differing, client.page_rows()) {
            is_settled &= self.read_group(kind, id, group).await?;
        }
        Ok(is_settled)
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

    async fn store(&mut self, part: CohortPart) -> Result<(), SyncError> {
        self.session.asker.stop.check()?;
        let now = self.session.ctx.clock.now();
        let store = &self.session.ctx.store;
        let moved = store.put_members(self.session.lease(), &part, now).await?;
        self.summary.entered += moved.entered;
        self.summary.left += moved.left;
        Ok(())
    }

    /// Notes that these are stored as they were in PostHog at `at`, when it had listed them.
    async fn note_read(&self, records: &[&CohortRecord], at: Timestamp) -> Result<(), SyncError> {
        if records.is_empty() {
            return Ok(());
        }
        let read: Vec<(CohortId, CohortRead)> = records
            .iter()
            .map(|record| {
                let mark = record.cohort.mark;
                (record.cohort.id, CohortRead { at, mark })
            })
            .collect();
        let store = &self.session.ctx.store;
        store.cohorts_read(self.session.lease(), &read).await?;
        Ok(())
    }
}
