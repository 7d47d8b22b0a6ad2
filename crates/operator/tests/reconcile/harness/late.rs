//! An operator that hears of new Namespaces late: the API server promises no order between two watches.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service};

use super::{Corner, Running};

impl Corner {
    /// Starts an operator that hears of changes of Namespaces only once `told` is cancelled; it lists them as
    /// ever.
    pub(crate) fn operate_unaware_of_namespaces(&self, told: &CancellationToken) -> Running {
        let builder = ClientBuilder::try_from(self.admin.clone()).unwrap();
        let waiting = Waiting(told.clone());
        self.operate_as(builder.with_layer(&waiting).build())
    }
}

struct Waiting(CancellationToken);

impl<S> Layer<S> for Waiting {
    type Service = Late<S>;

    fn layer(&self, inner: S) -> Late<S> {
        Late {
            inner,
            told: self.0.clone(),
        }
    }
}

struct Late<S> {
    inner: S,
    told: CancellationToken,
}

impl<S, B> Service<Request<Body>> for Late<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let uri = request.uri();
        let is_late = uri.path() == "/api/v1/namespaces"
            && uri
                .query()
                .is_some_and(|query| query.contains("watch=true"));
        let told = self.told.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            if is_late {
                told.cancelled().await;
            }
            answer.await
        })
    }
}
