//! `serve`: gRPC alone, on a store that others fill.

use std::time::Duration;

use prometheus_client::registry::Registry;

use crate::exit::{Exit, Failure};
use crate::settings::{ListenSettings, StoreSettings};
use crate::{patience, server, signals};

/// How long a database that does not answer is waited for: one that was installed at the same moment is
/// up by then.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let url = self.store.existing_url()?;
        let shutdown =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        let Some(store) = patience::open(&url, Some(PATIENCE), &shutdown).await? else {
            return Ok(());
        };
        server::start(&self.listen, store, Registry::default(), shutdown)
            .await?
            .ended()
            .await
    }
}
