//! Compares cohorts with PostHog's and reads what differs.

use std::collections::{BTreeMap, BTreeSet};

use domain::cohorts::{CohortDigest, CohortId, CohortKind};
use domain::storage::{CohortPart, CohortRead, CohortRecord};
use jiff::Timestamp;
use uuid::Uuid;

use super::ask::{MOST_TOO_HEAVY, size};
use super::large::Large;
use super::parts::grouped;
use crate::error::SyncError;
use crate::session::Session;
use crate::summary::CohortSummary;

/// One run's reading of cohorts.
pub(super) struct Reader<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) summary: CohortSummary,
}

/// What came of reading cohorts.
#[derive(Default)]
struct Unread<'r> {
    /// Those that changed while they were read.
    changed: Vec<&'r CohortRecord>,
    /// Those that PostHog could not answer about at once.
    too_heavy: Vec<&'r CohortRecord>,
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
        mut due: Vec<&'r CohortRecord>,
    ) -> Result<Vec<&'r CohortRecord>, SyncError> {
        let (client, store) = (&self.session.ctx.client, &self.session.ctx.store);
        let compared_at = self.session.ctx.clock.now();
        due.sort_by_key(|it| size(it));
        let mut remote = self
            .ask_about(&due, |ids| async move {
                client.cohort_digests(kind, &ids).await
            })
            .await?;
        let (mut same, mut small, mut large) = (Vec::new(), Vec::new(), Vec::new());
        for record in due {
            let id = record.cohort.id;
            let Some(remote) = remote.remove(&id).flatten() else {
                large.push(Large::too_heavy(record));
                continue;
            };
            let stored = store.bucket_digests(self.session.id, id).await?;
            let stored: CohortDigest = stored.into_values().sum();
            if stored == remote {
                same.push(record);
            } else if remote.members.max(stored.members) <= client.page_rows() as u64 {
                small.push((record, remote));
            } else {
                large.push(Large::of(record));
            }
        }
        self.summary.unchanged += same.len() as u64;
        self.note_read(&same, compared_at).await?;
        let mut changed = Vec::new();
        for batch in grouped(&small, client.page_rows(), |(_, digest)| digest.members) {
            let unread = self.read_small(kind, batch, compared_at).await?;
            changed.extend(unread.changed);
            large.extend(unread.too_heavy.into_iter().map(Large::of));
        }
        large.sort_by_key(|it| size(it.record));
        changed.extend(self.read_all_large(kind, &large, compared_at).await?);
        Ok(changed)
    }

    /// Reads cohorts whole that fit one answer together.
    async fn read_small<'r>(
        &mut self,
        kind: CohortKind,
        batch: &[(&'r CohortRecord, CohortDigest)],
        compared_at: Timestamp,
    ) -> Result<Unread<'r>, SyncError> {
        let client = &self.session.ctx.client;
        let peopled: Vec<&CohortRecord> = batch
            .iter()
            .filter(|(_, digest)| digest.members > 0)
            .map(|(record, _)| *record)
            .collect();
        let mut found: BTreeMap<CohortId, Option<Vec<Uuid>>> = BTreeMap::new();
        if !peopled.is_empty() {
            found = self
                .ask_about(&peopled, |ids| async move {
                    client.cohort_members(kind, &ids).await
                })
                .await?;
        }
        let (mut read, mut unread) = (Vec::new(), Unread::default());
        for (record, digest) in batch {
            let Some(members) = found.remove(&record.cohort.id).unwrap_or(Some(Vec::new())) else {
                unread.too_heavy.push(*record);
                continue;
            };
            let members: BTreeSet<Uuid> = members.into_iter().collect();
            if CohortDigest::of(&members) != *digest {
                unread.changed.push(*record);
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
        Ok(unread)
    }

    /// Reads cohorts by their buckets, the smallest first. Returns those that changed meanwhile. Those of
    /// which PostHog cannot answer even a small part are left to the next run, the others go on without.
    async fn read_all_large<'r>(
        &mut self,
        kind: CohortKind,
        all: &[Large<'r>],
        compared_at: Timestamp,
    ) -> Result<Vec<&'r CohortRecord>, SyncError> {
        let (mut changed, mut too_heavy) = (Vec::new(), 0);
        for (at, large) in all.iter().enumerate() {
            if too_heavy == MOST_TOO_HEAVY {
                self.summary.unsettled += (all.len() - at) as u64;
                break;
            }
            match self.read_large(kind, large).await {
                Ok(true) => self.note_read(&[large.record], compared_at).await?,
                Ok(false) => changed.push(large.record),
                Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                    let cohort = large.record.cohort.id;
                    tracing::warn!(%cohort, %error, "A cohort cannot be read: the others go on without.");
                    self.summary.unsettled += 1;
                    too_heavy += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// Stores a part, unless the run is to stop.
    pub(super) async fn store(&mut self, part: CohortPart) -> Result<(), SyncError> {
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
