//! `serve`: gRPC alone, on a store that others fill.

use prometheus_client::registry::Registry;

use crate::exit::{Exit, Failure};
use crate::settings::{ListenSettings, StoreSettings};
use crate::{server, signals};

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreSettings,
    #[command(flatten)]
    listen: ListenSettings,
}

impl Args {
    /// Serves until Ctrl-C.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let store = self.store.open_existing().await?;
        let shutdown =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        server::start(&self.listen, store, Registry::default(), shutdown)
            .await?
            .ended()
            .await
    }
}
