//! Measures every call, from its first header to its last message, whatever ends it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::metrics::{GrpcMetrics, MethodLabels};

/// Measures the calls of a service; without metrics it passes them on.
#[derive(Debug, Clone)]
pub(crate) struct MeasureLayer {
    /// Where to count.
    pub(crate) metrics: Option<GrpcMetrics>,
}

impl<S> Layer<S> for MeasureLayer {
    type Service = MeasureService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MeasureService {
            inner,
            metrics: self.metrics.clone(),
        }
    }
}

/// What [`MeasureLayer`] makes of a service.
#[derive(Debug, Clone)]
pub(crate) struct MeasureService<S> {
    inner: S,
    metrics: Option<GrpcMetrics>,
}

impl<S, B> Service<Request<B>> for MeasureService<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let measurement = self
            .metrics
            .as_ref()
            .map(|metrics| Measurement::begin(metrics.clone(), request.uri().path()));
        let call = self.inner.call(request);
        Box::pin(async move {
            let response = call.await?;
            Ok(match measurement {
                Some(measurement) => measured(response, measurement),
                None => response,
            })
        })
    }
}

fn measured(response: Response<Body>, mut measurement: Measurement) -> Response<Body> {
    // An answer without messages has its status among the headers.
    measurement.note(response.headers());
    response.map(|body| Body::new(MeasuredBody { body, measurement }))
}

/// Counts the call when dropped. One that was never told its code was given up by its caller.
#[derive(Debug)]
struct Measurement {
    metrics: GrpcMetrics,
    labels: MethodLabels,
    started: Instant,
    code: Code,
}

impl Measurement {
    fn begin(metrics: GrpcMetrics, path: &str) -> Self {
        let labels = metrics.labels(path);
        metrics.started(&labels);
        Self {
            metrics,
            labels,
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }

    fn note(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = status.code();
        }
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.metrics.handled(&self.labels, self.code, seconds);
    }
}

/// A body that carries its call's measurement to the end.
struct MeasuredBody {
    body: Body,
    measurement: Measurement,
}

impl HttpBody for MeasuredBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.measurement.note(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
