//! ConnectionService: connections and their standing.

use domain::ConnectionName;
use domain::storage::ConnectionRecord;
use domain::sync::SyncMode;
use jiff::Timestamp;
use jiff::civil::Date;
use tonic::{Request, Response, Status};

use crate::access;
use crate::answer::{ConnectionView, connection};
use crate::check::{check_connection, check_namespace};
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::proto::v1::connection_service_server::ConnectionService;
use crate::reads::{ReadStore, Reads};
use crate::token::Scope;

/// Answers ConnectionService from a store.
pub(crate) struct ConnectionServer<S: ?Sized> {
    reads: Reads<S>,
}

impl<S: ReadStore + ?Sized> ConnectionServer<S> {
    /// A service on `reads`.
    pub(crate) fn new(reads: Reads<S>) -> Self {
        Self { reads }
    }

    async fn get(
        &self,
        request: v1::GetConnectionRequest,
    ) -> Result<v1::GetConnectionResponse, ApiError> {
        let name = check_connection("name", &request.name)?;
        let record = access::living(&*self.reads.store, &name).await?;
        Ok(v1::GetConnectionResponse {
            connection: Some(self.describe(record).await?),
        })
    }

    async fn list(
        &self,
        request: v1::ListConnectionsRequest,
    ) -> Result<v1::ListConnectionsResponse, ApiError> {
        let namespace = check_namespace("parent", &request.parent)?;
        let size = check_page_size(request.page_size)?;
        let scope = Scope::page(
            "ListConnections",
            &v1::ListConnectionsRequest {
                parent: request.parent,
                ..Default::default()
            },
            None,
        );
        let after: Option<ConnectionName> = self.reads.cursor(&scope, &request.page_token).await?;
        let records = self
            .reads
            .store
            .connections(namespace.as_deref(), after.as_ref(), size + 1)
            .await?;
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            rows.push((record.desired.name.clone(), self.describe(record).await?));
        }
        let page = fill(rows, size);
        Ok(v1::ListConnectionsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            connections: page.rows,
        })
    }

    async fn describe(&self, record: ConnectionRecord) -> Result<v1::Connection, ApiError> {
        let store = &self.reads.store;
        let backfill = store
            .runs(record.target, Some(SyncMode::Backfill), 1)
            .await?
            .into_iter()
            .next();
        // At most one run is open, so one of the two latest has ended if any has.
        let last_run = store
            .runs(record.target, None, 2)
            .await?
            .into_iter()
            .find(|run| run.ended_at.is_some());
        let serving = store.epoch(record.serving).await?;
        let counted_from = serving.as_ref().map_or(Date::MIN, |serving| {
            record.counted_from(&serving.epoch, Timestamp::now())
        });
        Ok(connection(&ConnectionView {
            serving,
            backfill,
            last_run,
            verdicts: store
                .verdicts(record.serving, counted_from, Date::MAX)
                .await?,
            record,
        }))
    }
}

#[tonic::async_trait]
impl<S: ReadStore + ?Sized + 'static> ConnectionService for ConnectionServer<S> {
    async fn get_connection(
        &self,
        request: Request<v1::GetConnectionRequest>,
    ) -> Result<Response<v1::GetConnectionResponse>, Status> {
        Ok(Response::new(self.get(request.into_inner()).await?))
    }

    async fn list_connections(
        &self,
        request: Request<v1::ListConnectionsRequest>,
    ) -> Result<Response<v1::ListConnectionsResponse>, Status> {
        Ok(Response::new(self.list(request.into_inner()).await?))
    }
}
