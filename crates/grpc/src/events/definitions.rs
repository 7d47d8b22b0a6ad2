//! ListEventDefinitions: pages of the event names that a project has.

use domain::EventName;

use super::EventServer;
use crate::answer::definition;
use crate::check::check_connection;
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::reads::ReadStore;
use crate::token::Scope;

impl<S: ReadStore + ?Sized> EventServer<S> {
    pub(super) async fn event_definitions(
        &self,
        mut request: v1::ListEventDefinitionsRequest,
    ) -> Result<v1::ListEventDefinitionsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListEventDefinitions", &request, Some(&readable.epoch));
        let after: Option<EventName> = self.reads.cursor(&scope, &token).await?;
        let found = self
            .reads
            .store
            .event_definitions(readable.epoch.id, after.as_ref(), size + 1)
            .await?;
        let mapping = readable.epoch.mapping.as_ref();
        let rows = found.into_iter().map(|found| {
            let described = definition(&found, mapping);
            (found.name, described)
        });
        let page = fill(rows, size);
        Ok(v1::ListEventDefinitionsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            event_definitions: page.rows,
        })
    }
}
