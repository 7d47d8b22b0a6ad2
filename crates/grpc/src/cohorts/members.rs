//! ListCohortMembers: pages of members, each with the ids that belong to the person.

use domain::identity::IdentityKey;
use uuid::Uuid;

use super::CohortServer;
use crate::answer::cohort_member;
use crate::check::check_cohort;
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::reads::ReadStore;
use crate::token::Scope;

impl<S: ReadStore + ?Sized + 'static> CohortServer<S> {
    pub(super) async fn members(
        &self,
        mut request: v1::ListCohortMembersRequest,
    ) -> Result<v1::ListCohortMembersResponse, ApiError> {
        let (name, cohort) = check_cohort("parent", &request.parent)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListCohortMembers", &request, Some(&readable.epoch));
        let after: Option<Uuid> = self.reads.cursor(&scope, &token).await?;
        self.require(&readable, cohort).await?;
        let (store, epoch) = (&self.reads.store, readable.epoch.id);
        let found = store.cohort_members(epoch, cohort, after, size + 1).await?;
        // Of the whole page at once; the one beyond it only tells that there is more.
        let persons: Vec<IdentityKey> = found
            .iter()
            .take(size)
            .map(|member| IdentityKey::Person(member.person_id))
            .collect();
        let mut identities = self
            .reads
            .resolve(&readable.epoch, &persons)
            .await?
            .into_iter();
        let rows = found
            .into_iter()
            .map(|member| (member.person_id, cohort_member(member, identities.next())));
        let page = fill(rows, size);
        Ok(v1::ListCohortMembersResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            cohort_members: page.rows,
        })
    }
}
