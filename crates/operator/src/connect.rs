//! How the operator reaches the API server.

use kube::client::ClientBuilder;

use crate::error::{Error, describe};
use crate::metrics::Metrics;

/// A client of the cluster that `KUBECONFIG` names, or that this pod runs in; its requests are counted.
///
/// # Errors
/// [`Error::NoCluster`] when neither names one, or its credentials cannot be used.
pub async fn connect(metrics: &Metrics) -> Result<kube::Client, Error> {
    let config = kube::Config::infer()
        .await
        .map_err(|error| Error::NoCluster(error.to_string()))?;
    let host = config.cluster_url.authority().map(ToString::to_string);
    let layer = metrics.layer(host.unwrap_or_default());
    let builder =
        ClientBuilder::try_from(config).map_err(|error| Error::NoCluster(describe(&error)))?;
    Ok(builder.with_layer(&layer).build())
}
