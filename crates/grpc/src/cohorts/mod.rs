//! CohortService: cohorts, who is in them, who comes and goes; one file a question.

mod list;
mod members;
mod membership;
mod stream;

use std::pin::Pin;

use domain::cohorts::CohortId;
use futures_util::Stream;
use tonic::{Request, Response, Status};

use crate::access::Readable;
use crate::deadline::Deadline;
use crate::errors::ApiError;
use crate::proto::v1;
use crate::proto::v1::cohort_service_server::CohortService;
use crate::reads::{ReadStore, Reads};

/// Answers CohortService from a store.
pub(crate) struct CohortServer<S: ?Sized> {
    reads: Reads<S>,
}

impl<S: ReadStore + ?Sized> CohortServer<S> {
    /// A service on `reads`.
    pub(crate) fn new(reads: Reads<S>) -> Self {
        Self { reads }
    }

    /// That there is such a cohort, deleted or not.
    async fn require(&self, readable: &Readable, cohort: CohortId) -> Result<(), ApiError> {
        let store = &self.reads.store;
        match store.cohort(readable.epoch.id, cohort).await? {
            Some(_) => Ok(()),
            None => Err(ApiError::CohortNotFound {
                name: readable.name.clone(),
                cohort,
            }),
        }
    }
}

#[tonic::async_trait]
impl<S: ReadStore + ?Sized + 'static> CohortService for CohortServer<S> {
    async fn list_cohorts(
        &self,
        request: Request<v1::ListCohortsRequest>,
    ) -> Result<Response<v1::ListCohortsResponse>, Status> {
        Ok(Response::new(self.list(request.into_inner()).await?))
    }

    async fn list_cohort_members(
        &self,
        request: Request<v1::ListCohortMembersRequest>,
    ) -> Result<Response<v1::ListCohortMembersResponse>, Status> {
        Ok(Response::new(self.members(request.into_inner()).await?))
    }

    async fn check_cohort_membership(
        &self,
        request: Request<v1::CheckCohortMembershipRequest>,
    ) -> Result<Response<v1::CheckCohortMembershipResponse>, Status> {
        Ok(Response::new(self.memberships(request.into_inner()).await?))
    }

    type StreamCohortChangesStream =
        Pin<Box<dyn Stream<Item = Result<v1::StreamCohortChangesResponse, Status>> + Send>>;

    async fn stream_cohort_changes(
        &self,
        request: Request<v1::StreamCohortChangesRequest>,
    ) -> Result<Response<Self::StreamCohortChangesStream>, Status> {
        let deadline = request.extensions().get::<Deadline>().copied();
        let following = self.follow(request.into_inner(), deadline).await?;
        Ok(Response::new(Box::pin(following.into_stream())))
    }
}
