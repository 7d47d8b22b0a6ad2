//! A request as the endpoints see it: parsed once, after its body was read.

use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value as Json;

use super::route::Route;

/// PostHog takes bodies of at most this size.
pub(crate) const MAX_BODY: usize = 20 * 1024 * 1024;

pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) headers: HeaderMap,
    /// Path and query string as sent.
    pub(crate) target: String,
    pub(crate) parameters: Vec<(String, String)>,
    /// The JSON body; the error text when there is one that is not JSON.
    pub(crate) body: Result<Json, String>,
}

impl Request {
    pub(crate) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: &[u8]) -> Self {
        let query = uri.query().unwrap_or_default();
        let parameters = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let body = if body.is_empty() {
            Ok(Json::Null)
        } else {
            serde_json::from_slice(body).map_err(|error| error.to_string())
        };
        Self {
            route: Route::of(uri.path()),
            method,
            headers,
            target: uri
                .path_and_query()
                .map_or_else(String::new, ToString::to_string),
            parameters,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A text field of the JSON body, found by its path.
    pub(crate) fn body_text(&self, pointer: &str) -> Option<String> {
        let body = self.body.as_ref().ok()?;
        body.pointer(pointer)?.as_str().map(str::to_owned)
    }

    pub(crate) fn accepts_gzip(&self) -> bool {
        self.header("accept-encoding")
            .is_some_and(|value| value.contains("gzip"))
    }
}
