//! `serve`: gRPC alone, on a store that others fill.

use prometheus_client::registry::Registry;
use store::DatabaseUrl;

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
        let url = self.store.url()?;
        // Opening would create it, and an empty store answers every caller that nothing exists.
        if let Ok(DatabaseUrl::Sqlite(path)) = url.parse()
            && !path.exists()
        {
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "There is no database at {}: `up` or `sync` make one, or --database-url names another.",
                    path.display()
                ),
            ));
        }
        let store = store::open(&url, store::OpenOptions::default()).await?;
        let shutdown =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        server::start(&self.listen, store, Registry::default(), shutdown)
            .await?
            .ended()
            .await
    }
}
