//! Whether the other Cloud region knows a key: a key of one region is simply unknown in the other.

use domain::{ApiHost, ApiKey};
use serde::de::IgnoredAny;

use crate::clock_skew::ClockSkew;
use crate::cost::Cost;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::http::Http;
use crate::request::Request;

/// The other Cloud region's host if it knows the key. Only `phx_` keys are shown to it, and only
/// Cloud hosts have another region; any failure to ask counts as not known.
pub async fn probe(http: &Http, host: &ApiHost, key: &ApiKey) -> Option<ApiHost> {
    let other = host.other_region().filter(|_| key.is_prefixed())?;
    knows(http, &other, key).await.ok()?.then_some(other)
}

/// Whether a host knows a key, asked once.
///
/// # Errors
/// Whatever keeps the host from answering.
pub async fn knows(http: &Http, host: &ApiHost, key: &ApiKey) -> Result<bool, Error> {
    let request = Request::key();
    let exchange = Exchange {
        http,
        host,
        key,
        cost: &Cost::new(),
        skew: &ClockSkew::new(),
    };
    let asked = async {
        let body = exchange.send(&request).await?.whole().await?;
        Ok(serde_json::from_slice::<IgnoredAny>(&body).is_ok())
    };
    match tokio::time::timeout(http.config.total_timeout, asked).await {
        Ok(Err(Error::InvalidApiKey { .. })) => Ok(false),
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Timeout {
            request: request.name.to_owned(),
            reason: "it was not complete in time".to_owned(),
        }),
    }
}

/// Turns an [`Error::InvalidApiKey`] into [`Error::WrongRegion`] where the other region knows the
/// key; returns any other error as it is.
pub async fn explain(http: &Http, error: Error, key: &ApiKey) -> Error {
    let Error::InvalidApiKey { host } = error else {
        return error;
    };
    match probe(http, &host, key).await {
        Some(knows) => Error::WrongRegion { host, knows },
        None => Error::InvalidApiKey { host },
    }
}
