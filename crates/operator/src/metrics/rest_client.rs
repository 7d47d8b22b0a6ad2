//! Requests to the API server, by client-go's name.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tower::{Layer, Service};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// The answer's status, or `<error>` when there was none, as client-go has it.
    code: String,
    method: String,
    host: String,
}

/// Requests by answer.
#[derive(Debug, Clone, Default)]
pub(super) struct RestClient {
    requests: Family<Answered, Counter>,
}

impl RestClient {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "rest_client_requests",
            "Requests to the API server by status, method and host",
            self.requests.clone(),
        );
    }

    pub(super) fn layer(&self, host: String) -> CountRequests {
        CountRequests {
            client: self.clone(),
            host,
        }
    }
}

/// Counts the requests that pass.
#[derive(Debug, Clone)]
pub struct CountRequests {
    client: RestClient,
    host: String,
}

impl CountRequests {
    fn count(&self, method: &Method, code: String) {
        let labels = Answered {
            code,
            method: method.to_string(),
            host: self.host.clone(),
        };
        self.client.requests.get_or_create(&labels).inc();
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            counter: self.clone(),
        }
    }
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    counter: CountRequests,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = request.method().clone();
        let answer = self.inner.call(request);
        let counter = self.counter.clone();
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or_else(
                |_| "<error>".to_owned(),
                |answer| answer.status().as_u16().to_string(),
            );
            counter.count(&method, code);
            answer
        })
    }
}
