//! Deadlines: a call that takes too long ends with DEADLINE_EXCEEDED.
//!
//! Tonic 0.14 races every call against `grpc-timeout` itself and answers CANCELLED, which
//! callers take for their own doing and do not retry. Its timer cannot be turned off, so this
//! layer, which lies within it, is a little earlier. Dropping the call drops its database query, and
//! with that the statement ends in the database too (docs/decisions/0010).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::errors::ApiError;

/// How much earlier than tonic's timer: more than the timer wheel's millisecond, and less than
/// anybody notices.
const AHEAD: Duration = Duration::from_millis(5);

/// When a call must be over, if its caller said so. Streams find it among their request's
/// extensions and end by it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    fn after(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit.saturating_sub(AHEAD.min(limit / 2)),
            limit,
        }
    }

    /// The instant.
    pub(crate) fn at(self) -> Instant {
        self.at
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.at
    }

    /// What a late call is answered with.
    pub(crate) fn error(self) -> ApiError {
        ApiError::DeadlineExceeded { limit: self.limit }
    }
}

/// Ends calls that take longer than their caller allows, or than `default`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadlineLayer {
    /// The longest that any call may take until it answers; a stream, until it begins.
    pub(crate) default: Duration,
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService {
            inner,
            default: self.default,
        }
    }
}

/// What [`DeadlineLayer`] makes of a service.
#[derive(Debug, Clone)]
pub(crate) struct DeadlineService<S> {
    inner: S,
    default: Duration,
}

impl<S, B> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let asked = grpc_timeout(request.headers());
        if let Some(limit) = asked {
            request.extensions_mut().insert(Deadline::after(limit));
        }
        let deadline = Deadline::after(asked.unwrap_or(self.default).min(self.default));
        let call = self.inner.call(request);
        Box::pin(async move {
            match timeout_at(deadline.at, call).await {
                Ok(answer) => answer,
                Err(_) => Ok(Status::from(deadline.error()).into_http()),
            }
        })
    }
}

/// The `grpc-timeout` header: up to 8 digits and a unit ("Request-Headers" in gRPC's
/// PROTOCOL-HTTP2.md). One that is malformed counts as none, as tonic treats it.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", value.parse().unwrap());
        grpc_timeout(&headers)
    }

    #[test]
    fn a_timeout_has_digits_and_a_unit() {
        assert_eq!(timeout("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for malformed in ["", "S", "1", "1s", "-1S", "+1S", "999999999S", "1.5S"] {
            assert_eq!(timeout(malformed), None, "{malformed:?}");
        }
    }
}
