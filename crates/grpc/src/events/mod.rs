//! EventService: events, their changes and their counts; one file a question.

mod counts;
mod definitions;
mod funnel;
mod list;
mod stream;

use std::pin::Pin;

use futures_util::Stream;
use tonic::{Request, Response, Status};

use crate::deadline::Deadline;
use crate::proto::v1;
use crate::proto::v1::event_service_server::EventService;
use crate::reads::{ReadStore, Reads};

/// Answers EventService from a store.
pub(crate) struct EventServer<S: ?Sized> {
    reads: Reads<S>,
}

impl<S: ReadStore + ?Sized> EventServer<S> {
    /// A service on `reads`.
    pub(crate) fn new(reads: Reads<S>) -> Self {
        Self { reads }
    }
}

#[tonic::async_trait]
impl<S: ReadStore + ?Sized + 'static> EventService for EventServer<S> {
    async fn list_mapped_events(
        &self,
        request: Request<v1::ListMappedEventsRequest>,
    ) -> Result<Response<v1::ListMappedEventsResponse>, Status> {
        let answer = self.mapped_events(request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        Ok(Response::new(self.events(request.into_inner()).await?))
    }

    type StreamEventsStream =
        Pin<Box<dyn Stream<Item = Result<v1::StreamEventsResponse, Status>> + Send>>;

    async fn stream_events(
        &self,
        request: Request<v1::StreamEventsRequest>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        let deadline = request.extensions().get::<Deadline>().copied();
        let follower = self.follow(request.into_inner(), deadline).await?;
        Ok(Response::new(Box::pin(follower.into_stream())))
    }

    async fn list_daily_event_counts(
        &self,
        request: Request<v1::ListDailyEventCountsRequest>,
    ) -> Result<Response<v1::ListDailyEventCountsResponse>, Status> {
        let answer = self.daily_event_counts(request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn get_funnel(
        &self,
        request: Request<v1::GetFunnelRequest>,
    ) -> Result<Response<v1::GetFunnelResponse>, Status> {
        Ok(Response::new(self.funnel(request.into_inner()).await?))
    }

    async fn list_event_definitions(
        &self,
        request: Request<v1::ListEventDefinitionsRequest>,
    ) -> Result<Response<v1::ListEventDefinitionsResponse>, Status> {
        let answer = self.event_definitions(request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
