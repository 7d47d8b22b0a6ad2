//! ErasureService: the one service that changes what is stored.

use domain::erasure::{self, Erased, ErasureError};
use domain::identity::IdentityKey;
use jiff::Timestamp;
use tonic::{Request, Response, Status};

use crate::check::{check_connection, check_key};
use crate::errors::ApiError;
use crate::proto::v1;
use crate::proto::v1::erasure_service_server::ErasureService;
use crate::reads::{ReadStore, Reads};

/// Answers ErasureService on a store.
pub(crate) struct ErasureServer<S: ?Sized> {
    reads: Reads<S>,
}

impl<S: ReadStore + ?Sized> ErasureServer<S> {
    /// A service on `reads`.
    pub(crate) fn new(reads: Reads<S>) -> Self {
        Self { reads }
    }

    async fn erase(
        &self,
        request: v1::ErasePersonRequest,
    ) -> Result<v1::ErasePersonResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let key = check_key("key", &request.key.unwrap_or_default())?;
        if let IdentityKey::AnonymousId(_) = key {
            return Err(ApiError::field(
                "key.anonymous_id",
                "may be shared by several persons: erase by a person, distinct id, customer id or e-mail address",
            ));
        }
        let store = &*self.reads.store;
        let erased = if request.dry_run {
            erasure::preview(store, &name, &key).await
        } else {
            erasure::erase(store, &name, &key, Timestamp::now()).await
        };
        Ok(answer(erased.map_err(|error| match error {
            ErasureError::NoConnection(name) => ApiError::ConnectionNotFound { name },
            ErasureError::Store(error) => error.into(),
        })?))
    }
}

fn answer(erased: Erased) -> v1::ErasePersonResponse {
    v1::ErasePersonResponse {
        person_count: erased.persons,
        distinct_id_count: erased.distinct_ids,
        event_count: erased.events,
        person_link_count: erased.person_links,
        fact_link_count: erased.fact_links,
        cohort_stay_count: erased.cohort_stays,
    }
}

#[tonic::async_trait]
impl<S: ReadStore + ?Sized + 'static> ErasureService for ErasureServer<S> {
    async fn erase_person(
        &self,
        request: Request<v1::ErasePersonRequest>,
    ) -> Result<Response<v1::ErasePersonResponse>, Status> {
        Ok(Response::new(self.erase(request.into_inner()).await?))
    }
}
