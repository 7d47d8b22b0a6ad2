//! Whether the other Cloud region knows a key: a key of one region is simply unknown in the other.

use domain::{ApiHost, ApiKey};
use serde::de::IgnoredAny;

use crate::clock_skew::ClockSkew;
use crate::cost::Cost;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::http::Http;
use crate::request::Request;

/// The region to ask about a key that `host` does not know. Only Cloud hosts have another region,
/// and only `phx_` keys are shown to it.
pub fn other(host: &ApiHost, key: &ApiKey) -> Option<ApiHost> {
    host.other_region().filter(|_| key.is_prefixed())
}

/// Whether a host knows a key, asked once.
///
/// # Errors
/// Whatever keeps the host from answering.
pub async fn knows(http: &Http, host: &ApiHost, key: &ApiKey) -> Result<bool, Error> {
    let request = Request::key();
    let cost = Cost::new();
    let call = cost.begin(&http.traffic);
    let exchange = Exchange {
        http,
        host,
        key,
        call: &call,
        skew: &ClockSkew::new(),
    };
    let asked = async {
        let body = exchange.send(&request).await?.whole().await?;
        Ok(serde_json::from_slice::<IgnoredAny>(&body).is_ok())
    };
    let answer = tokio::time::timeout(http.config.total_timeout, asked)
        .await
        .unwrap_or_else(|_| {
            Err(Error::Timeout {
                request: request.name.to_owned(),
                reason: "it was not complete in time".to_owned(),
            })
        });
    call.ended(answer.as_ref().map_or_else(Error::reason, |_| "complete"));
    match answer {
        Err(Error::InvalidApiKey { .. }) => Ok(false),
        answer => answer,
    }
}

/// Turns an [`Error::InvalidApiKey`] into [`Error::WrongRegion`] where `other` knows the key;
/// returns any other error as it is. Any failure to ask counts as not known.
pub async fn explain(http: &Http, error: Error, key: &ApiKey, other: &ApiHost) -> Error {
    match error {
        Error::InvalidApiKey { host } if knows(http, other, key).await.unwrap_or(false) => {
            Error::WrongRegion {
                host,
                knows: other.clone(),
            }
        }
        error => error,
    }
}
