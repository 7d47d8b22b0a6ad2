//! IdentityService: who is who.

mod conflicts;
mod stream;

use std::pin::Pin;

use domain::storage::LinkKey;
use futures_util::Stream;
use tonic::{Request, Response, Status};

use crate::answer::link;
use crate::check::{check_connection, check_keys};
use crate::deadline::Deadline;
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::proto::v1::identity_service_server::IdentityService;
use crate::reads::{ReadStore, Reads};
use crate::token::Scope;

/// Answers IdentityService from a store.
pub(crate) struct IdentityServer<S: ?Sized> {
    reads: Reads<S>,
}

impl<S: ReadStore + ?Sized + 'static> IdentityServer<S> {
    /// A service on `reads`.
    pub(crate) fn new(reads: Reads<S>) -> Self {
        Self { reads }
    }

    async fn resolve(
        &self,
        request: v1::ResolveIdentitiesRequest,
    ) -> Result<v1::ResolveIdentitiesResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let keys = check_keys(&request.keys)?;

        let readable = self.reads.open(&name).await?;
        let identities = self.reads.resolve_packed(&readable.epoch, &keys).await?;
        Ok(v1::ResolveIdentitiesResponse { identities })
    }

    async fn links(
        &self,
        mut request: v1::ListIdentityLinksRequest,
    ) -> Result<v1::ListIdentityLinksResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListIdentityLinks", &request, Some(&readable.epoch));
        let after: Option<LinkKey> = self.reads.cursor(&scope, &token).await?;
        let found = self
            .reads
            .store
            .links(
                readable.epoch.id,
                request.include_ended,
                after.as_ref(),
                size + 1,
            )
            .await?;
        let rows = found.into_iter().map(|(key, found)| (key, link(found)));
        let page = fill(rows, size);
        Ok(v1::ListIdentityLinksResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            identity_links: page.rows,
        })
    }
}

#[tonic::async_trait]
impl<S: ReadStore + ?Sized + 'static> IdentityService for IdentityServer<S> {
    async fn resolve_identities(
        &self,
        request: Request<v1::ResolveIdentitiesRequest>,
    ) -> Result<Response<v1::ResolveIdentitiesResponse>, Status> {
        Ok(Response::new(self.resolve(request.into_inner()).await?))
    }

    async fn list_identity_links(
        &self,
        request: Request<v1::ListIdentityLinksRequest>,
    ) -> Result<Response<v1::ListIdentityLinksResponse>, Status> {
        Ok(Response::new(self.links(request.into_inner()).await?))
    }

    async fn list_identity_conflicts(
        &self,
        request: Request<v1::ListIdentityConflictsRequest>,
    ) -> Result<Response<v1::ListIdentityConflictsResponse>, Status> {
        Ok(Response::new(self.conflicts(request.into_inner()).await?))
    }

    type StreamIdentityChangesStream =
        Pin<Box<dyn Stream<Item = Result<v1::StreamIdentityChangesResponse, Status>> + Send>>;

    async fn stream_identity_changes(
        &self,
        request: Request<v1::StreamIdentityChangesRequest>,
    ) -> Result<Response<Self::StreamIdentityChangesStream>, Status> {
        let deadline = request.extensions().get::<Deadline>().copied();
        let follower = self.follow(request.into_inner(), deadline).await?;
        Ok(Response::new(Box::pin(follower.into_stream())))
    }
}
