//! ListMappedEvents and ListEvents: pages of stored events by time.

use bytes::Bytes;
use domain::PostHogStage;
use domain::storage::{EventFilter, EventKey};

use super::EventServer;
use crate::access::Readable;
use crate::answer::PackedEvents;
use crate::check::{
    check_connection, check_event_names, check_instants, check_order, check_stages,
};
use crate::errors::ApiError;
use crate::paging::{Page, check_page_size};
use crate::proto::v1;
use crate::reads::ReadStore;
use crate::token::Scope;

impl<S: ReadStore + ?Sized> EventServer<S> {
    pub(super) async fn mapped_events(
        &self,
        mut request: v1::ListMappedEventsRequest,
    ) -> Result<v1::ListMappedEventsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let (from, to) = check_instants(request.start_time, request.end_time)?;
        let mut stages = check_stages("stages", &request.stages)?;
        if stages.is_empty() {
            stages.extend(PostHogStage::ALL);
        }
        let filter = EventFilter {
            from,
            to,
            stages,
            newest_first: check_order(request.order)?,
            ..EventFilter::default()
        };
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListMappedEvents", &request, Some(&readable.epoch));
        let page = self.page(&readable, &filter, &scope, &token, size).await?;
        Ok(v1::ListMappedEventsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            events: page.rows,
        })
    }

    pub(super) async fn events(
        &self,
        mut request: v1::ListEventsRequest,
    ) -> Result<v1::ListEventsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let (from, to) = check_instants(request.start_time, request.end_time)?;
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let filter = EventFilter {
            from,
            to,
            names: check_event_names(&request.event_names)?,
            stages: check_stages("stages", &request.stages)?,
            distinct_ids: given(&request.distinct_id).into_iter().collect(),
            session_id: given(&request.session_id),
            newest_first: check_order(request.order)?,
        };
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListEvents", &request, Some(&readable.epoch));
        let page = self.page(&readable, &filter, &scope, &token, size).await?;
        Ok(v1::ListEventsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            events: page.rows,
        })
    }

    async fn page(
        &self,
        readable: &Readable,
        filter: &EventFilter,
        scope: &Scope,
        token: &str,
        size: usize,
    ) -> Result<Page<Bytes, EventKey>, ApiError> {
        let after: Option<EventKey> = self.reads.cursor(scope, token).await?;
        let mut events = PackedEvents::new();
        let epoch = readable.epoch.id;
        self.reads
            .event_page(epoch, filter, after, size, |row| events.pack(&row))
            .await
    }
}
