//! Cohorts, of which this store has none: they are tested on a real one.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::ConnectionId;
use domain::cohorts::{CohortBucket, CohortDigest, CohortId};
use domain::storage::{
    CohortChange, CohortHistory, CohortMember, CohortReader, CohortRecord, Membership, Result,
};
use uuid::Uuid;

use super::Memory;

#[async_trait]
impl CohortReader for Memory {
    async fn cohorts(
        &self,
        _: ConnectionId,
        _: bool,
        _: Option<CohortId>,
        _: usize,
    ) -> Result<Vec<CohortRecord>> {
        self.ask(|_| Vec::new()).await
    }

    async fn cohort(&self, _: ConnectionId, _: CohortId) -> Result<Option<CohortRecord>> {
        self.ask(|_| None).await
    }

    async fn bucket_digests(
        &self,
        _: ConnectionId,
        _: CohortId,
    ) -> Result<BTreeMap<CohortBucket, CohortDigest>> {
        self.ask(|_| BTreeMap::new()).await
    }

    async fn cohort_members(
        &self,
        _: ConnectionId,
        _: CohortId,
        _: Option<Uuid>,
        _: usize,
    ) -> Result<Vec<CohortMember>> {
        self.ask(|_| Vec::new()).await
    }

    async fn memberships(
        &self,
        _: ConnectionId,
        _: &[CohortId],
        _: &[Uuid],
    ) -> Result<Vec<Membership>> {
        self.ask(|_| Vec::new()).await
    }

    async fn cohort_changes(&self, _: ConnectionId, _: i64, _: usize) -> Result<Vec<CohortChange>> {
        self.ask(|_| Vec::new()).await
    }

    async fn cohort_history(&self, _: ConnectionId) -> Result<CohortHistory> {
        self.ask(|_| CohortHistory::default()).await
    }
}
