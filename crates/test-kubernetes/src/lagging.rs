//! A client whose watches lag: what the cluster tells by itself comes late, while writes and reads are
//! answered at once, so that whoever goes by what it has seen goes by what was.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use kube::client::{Body, ClientBuilder};
use tokio::time::{Sleep, sleep};
use tower::{BoxError, Layer, Service};

use crate::{Result, Server};

impl Server {
    /// The admin's client, to which each piece of a watch comes so much later than the one before it.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] when TLS cannot be prepared.
    pub fn lagging(&self, lag: Duration) -> Result<kube::Client> {
        let builder = ClientBuilder::try_from(self.config())?;
        Ok(builder.with_layer(&Lagging(lag)).build())
    }
}

struct Lagging(Duration);

impl<S> Layer<S> for Lagging {
    type Service = Held<S>;

    fn layer(&self, inner: S) -> Held<S> {
        Held { inner, lag: self.0 }
    }
}

/// The service of a client whose watches lag.
struct Held<S> {
    inner: S,
    lag: Duration,
}

type Answer<B> =
    Pin<Box<dyn Future<Output = std::result::Result<Response<Late<B>>, BoxError>> + Send>>;

impl<S, B> Service<Request<Body>> for Held<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<Late<B>>;
    type Error = BoxError;
    type Future = Answer<B>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_watch = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("watch=true"));
        let lag = is_watch.then_some(self.lag);
        let answer = self.inner.call(request);
        Box::pin(async move {
            Ok(answer.await?.map(|inner| Late {
                inner,
                lag,
                held: None,
            }))
        })
    }
}

/// A body whose pieces come late.
struct Late<B> {
    inner: B,
    lag: Option<Duration>,
    held: Option<(Frame<Bytes>, Pin<Box<Sleep>>)>,
}

impl<B> http_body::Body for Late<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, B::Error>>> {
        let late = &mut *self;
        loop {
            if let Some((_, until)) = &mut late.held {
                ready!(until.as_mut().poll(task));
                return Poll::Ready(late.held.take().map(|(frame, _)| Ok(frame)));
            }
            let next = ready!(Pin::new(&mut late.inner).poll_frame(task));
            match (next, late.lag) {
                (Some(Ok(frame)), Some(lag)) => late.held = Some((frame, Box::pin(sleep(lag)))),
                (next, _) => return Poll::Ready(next),
            }
        }
    }
}
