//! Fetching a file that PostHog keeps elsewhere, from an address that by itself lets anybody read it.

use reqwest::header::{self, HeaderMap};
use reqwest::{StatusCode, Url};

use super::{Body, Exchange, innermost};
use crate::error::Error;
use crate::request::Request;

impl<'a> Exchange<'a> {
    /// Follows a redirect once. The key stays here: whoever keeps the files has no business with it, and
    /// refuses a request that comes with two proofs (POSTHOG.md 11, trap 29). The address is in no error
    /// and no log.
    pub(super) async fn fetch(
        self,
        request: &'a Request,
        headers: &HeaderMap,
    ) -> Result<Body<'a>, Error> {
        let refuse = |reason: String| Error::ExportFile { reason };
        let address = headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| Url::parse(text).ok())
            .ok_or_else(|| refuse("PostHog does not say where it is".to_owned()))?;
        let place = address.origin().ascii_serialization();
        self.http
            .check_file_address(&address)
            .map_err(|reason| refuse(format!("its place {place} is refused: {reason}")))?;
        self.call.sent();
        let limit = self.http.config.answer_timeout;
        let sending = self.http.files.get(address).send();
        let response = tokio::time::timeout(limit, sending)
            .await
            .map_err(|_| Error::Timeout {
                request: request.name.to_owned(),
                reason: format!("nothing came within {limit:?}"),
            })?
            .map_err(|error| {
                let error = error.without_url();
                match self.failure_at(place.clone(), request, &error) {
                    Error::HostRefused { reason, .. } => {
                        refuse(format!("its place {place} is refused: {reason}"))
                    }
                    Error::Tls { reason, .. } => {
                        refuse(format!("TLS with {place} failed: {reason}"))
                    }
                    Error::Setup { .. } => refuse(innermost(&error)),
                    other => other,
                }
            })?;
        match response.status() {
            StatusCode::OK => {
                // It is read as it comes, however large it is.
                let config = &self.http.config;
                Ok(Body::new(
                    response,
                    request.name,
                    config,
                    u64::MAX,
                    self.call,
                ))
            }
            status if status.is_server_error() => Err(Error::Unavailable {
                status: status.as_u16(),
                detail: format!("{place}, where it keeps its files"),
                retry_after: None,
            }),
            status => Err(refuse(format!(
                "{place} answers with status {}",
                status.as_u16()
            ))),
        }
    }
}
