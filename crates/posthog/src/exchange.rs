//! One request and its answer: sent with the key, bounded in time, and turned into an error unless
//! it succeeded.

mod body;
mod file;

use std::time::Duration;

use domain::{ApiHost, ApiKey};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::Response;
use reqwest::header::{self, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;

pub(crate) use self::body::Body;
use crate::clock_skew::ClockSkew;
use crate::cost::Call;
use crate::error::Error;
use crate::http::{Http, Refused, innermost};
use crate::refusal::Refusal;
use crate::request::{Request, Success};

/// Of an error's body so much is read; PostHog's are far smaller.
const MOST_OF_AN_ERROR: u64 = 64 * 1024;

/// Where requests go, and as whom.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) http: &'a Http,
    pub(crate) host: &'a ApiHost,
    pub(crate) key: &'a ApiKey,
    pub(crate) call: &'a Call<'a>,
    pub(crate) skew: &'a ClockSkew,
}

impl<'a> Exchange<'a> {
    /// Sends a request once and returns the body of a successful answer.
    pub(crate) async fn send(self, request: &'a Request) -> Result<Body<'a>, Error> {
        self.http.check_host(self.host)?;
        let url = format!("{}{}", self.host, request.path);
        let builder = match &request.body {
            Some(body) => self
                .http
                .client
                .post(url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone()),
            None => self.http.client.get(url),
        };
        let sending = builder
            .header(header::AUTHORIZATION, self.authorization()?)
            .header(header::ACCEPT, "application/json")
            .send();
        self.call.sent();
        let limit = self.http.config.answer_timeout;
        let response = tokio::time::timeout(limit, sending)
            .await
            .map_err(|_| Error::Timeout {
                request: request.name.to_owned(),
                reason: format!("nothing came within {limit:?}"),
            })?
            .map_err(|error| self.failure(request, &error))?;
        self.call.head(response.headers());
        self.skew.observe(response.headers(), Timestamp::now());
        self.judge(request, response).await
    }

    /// The body of a success, or the error that the answer stands for.
    async fn judge(self, request: &'a Request, response: Response) -> Result<Body<'a>, Error> {
        let status = response.status();
        let headers = response.headers().clone();
        if status.is_redirection() && request.success == Success::File {
            return self.fetch(request, &headers).await;
        }
        if status.is_redirection() {
            return Err(Error::Redirected {
                host: self.host.to_string(),
                to: target(&headers),
            });
        }
        let html = is_html(&headers);
        let body = |limit| Body::new(response, request.name, &self.http.config, limit, self.call);
        if Success::Status(status) == request.success && !html {
            return Ok(body(self.http.config.max_answer));
        }
        if status.is_success() {
            let reason = if html {
                "it sent a web page".to_owned()
            } else {
                format!("it answered with status {}", status.as_u16())
            };
            return Err(Error::NotPostHog {
                host: self.host.to_string(),
                reason,
            });
        }
        // What cannot be read of an error's body leaves its status to decide.
        let beginning = body(MOST_OF_AN_ERROR).beginning().await;
        Err(Refusal {
            host: self.host,
            request,
            status: status.as_u16(),
            retry_after: retry_after(&headers, Timestamp::now()),
            body: &beginning,
        }
        .into_error())
    }

    fn authorization(self) -> Result<HeaderValue, Error> {
        let text = format!("Bearer {}", self.key.secret().expose_secret());
        let mut value = HeaderValue::from_str(&text).map_err(|_| Error::InvalidApiKey {
            host: self.host.clone(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Why no answer came, from the causes beneath reqwest's error.
    fn failure(self, request: &Request, error: &reqwest::Error) -> Error {
        self.failure_at(self.host.to_string(), request, error)
    }

    fn failure_at(self, host: String, request: &Request, error: &reqwest::Error) -> Error {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(refused) = current.downcast_ref::<Refused>() {
                return Error::HostRefused {
                    host,
                    reason: refused.to_string(),
                };
            }
            if let Some(tls) = tls_error(current) {
                return Error::Tls {
                    host,
                    reason: tls.to_string(),
                };
            }
            cause = current.source();
        }
        if error.is_timeout() {
            let limit = self.http.config.connect_timeout;
            return Error::Unreachable {
                host,
                reason: format!("no connection within {limit:?}"),
            };
        }
        if error.is_builder() {
            return Error::Setup {
                reason: innermost(error),
            };
        }
        tracing::debug!(request = request.name, error = %innermost(error), "PostHog could not be asked.");
        Error::Unreachable {
            host,
            reason: innermost(error),
        }
    }
}

/// A TLS error may be wrapped in I/O errors, which hide it from `source`.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| {
        let wrapped = error.downcast_ref::<std::io::Error>()?.get_ref()?;
        tls_error(wrapped)
    })
}

/// Where a redirect points: scheme and host alone, for a path may carry more than is ours to show.
fn target(headers: &HeaderMap) -> String {
    let location = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    url::Url::parse(location).map_or_else(
        |_| "another path".to_owned(),
        |url| url.origin().ascii_serialization(),
    )
}

fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}

/// `Retry-After` in its two forms: seconds, which PostHog sends, or a date, which a proxy may send.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        retry_after(&headers, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        assert_eq!(wait("62"), Some(Duration::from_secs(62)));
        assert_eq!(
            wait("Thu, 01 Jan 1970 00:01:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(wait("soon"), None);
    }
}
