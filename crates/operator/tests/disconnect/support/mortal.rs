//! A client whose process is killed in the middle of its work: after so many writes nothing that it sends
//! reaches the API server any more.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::{Method, Request};
use kube::client::{Body, ClientBuilder};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service};

/// Decides when it dies.
#[derive(Clone)]
pub(crate) struct Mortal {
    writes_left: Arc<AtomicUsize>,
    died: CancellationToken,
}

impl Mortal {
    /// A client, and what it dies by; it lives until told otherwise.
    pub(crate) fn client(config: kube::Config) -> (kube::Client, Self) {
        let mortal = Self {
            writes_left: Arc::new(AtomicUsize::new(usize::MAX)),
            died: CancellationToken::new(),
        };
        let client = ClientBuilder::try_from(config)
            .unwrap()
            .with_layer(&mortal)
            .build();
        (client, mortal)
    }

    /// From now on so many writes reach the API server, and nothing after the last of them.
    pub(crate) fn dies_after(&self, writes: usize) {
        self.writes_left.store(writes, Ordering::SeqCst);
    }

    /// Returns once it has died.
    pub(crate) async fn died(&self) {
        self.died.cancelled().await;
    }

    /// Whether the request is the last thing on its mind.
    fn kills(&self, request: &Request<Body>) -> bool {
        if self.died.is_cancelled() {
            return true;
        }
        // Leading is not part of what it was at.
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_read || request.uri().path().contains("/leases") {
            return false;
        }
        let left = |left: usize| left.checked_sub(1);
        let is_last = self
            .writes_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            .is_err();
        if is_last {
            self.died.cancel();
        }
        is_last
    }
}

impl<S> Layer<S> for Mortal {
    type Service = Dying<S>;

    fn layer(&self, inner: S) -> Dying<S> {
        Dying {
            inner,
            mortal: self.clone(),
        }
    }
}

/// The client's service.
pub(crate) struct Dying<S> {
    inner: S,
    mortal: Mortal,
}

type Answer<R> = Pin<Box<dyn Future<Output = Result<R, BoxError>> + Send>>;

impl<S> Service<Request<Body>> for Dying<S>
where
    S: Service<Request<Body>, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Answer<S::Response>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.mortal.kills(&request) {
            return Box::pin(async { Ok(pending::<Result<_, Infallible>>().await?) });
        }
        Box::pin(self.inner.call(request))
    }
}
