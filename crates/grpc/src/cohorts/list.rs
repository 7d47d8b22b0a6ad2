//! ListCohorts: pages of cohorts.

use domain::cohorts::CohortId;

use super::CohortServer;
use crate::answer::cohort;
use crate::check::check_connection;
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::reads::ReadStore;
use crate::token::Scope;

impl<S: ReadStore + ?Sized> CohortServer<S> {
    pub(super) async fn list(
        &self,
        mut request: v1::ListCohortsRequest,
    ) -> Result<v1::ListCohortsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListCohorts", &request, Some(&readable.epoch));
        let after: Option<CohortId> = self.reads.cursor(&scope, &token).await?;
        let found = self
            .reads
            .store
            .cohorts(readable.epoch.id, request.show_deleted, after, size + 1)
            .await?;
        let rows = found
            .into_iter()
            .map(|record| (record.cohort.id, cohort(&name, record)));
        let page = fill(rows, size);
        Ok(v1::ListCohortsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            cohorts: page.rows,
        })
    }
}
