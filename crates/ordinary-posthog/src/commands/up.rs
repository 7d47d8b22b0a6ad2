//! `up`: everything on one machine, without a cluster.

use std::sync::Arc;
use std::time::Duration;

use documents::Loader;
use domain::Plan;
use prometheus_client::registry::Registry;
use sync::{DEFAULT_CONCURRENT_SYNCS, RetryPolicy, Scheduler, SchedulerConfig, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Failure};
use crate::holder::Holder;
use crate::metrics::Metered;
use crate::settings::{DocumentSettings, ListenSettings, PostHogSettings, StoreSettings};
use crate::{connections, posthog_calls, progress, server, signals};

/// When a disconnection that the store did not take is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The arguments of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    documents: DocumentSettings,
    #[command(flatten)]
    store: StoreSettings,
    #[command(flatten)]
    listen: ListenSettings,
    #[command(flatten)]
    posthog: PostHogSettings,
    /// The most connections that are checked or synced at once.
    #[arg(long, env = "ORDINARY_POSTHOG_MAX_CONCURRENT_SYNCS", default_value_t = DEFAULT_CONCURRENT_SYNCS)]
    max_concurrent_syncs: usize,
}

impl Args {
    /// Syncs and serves until Ctrl-C.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut loader = connections::loader(&self.documents.files);
        let documents = loader.load().map_err(connections::refused)?;
        let wanted = connections::scheduled(documents, self.documents.default_plan);
        let http = connections::http(&self.posthog)?;
        let url = self.store.url()?;
        let store = store::open(&url, store::OpenOptions::default()).await?;
        let holder = Holder::new(&url, &*store).await?;
        let shutdown =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        let mut metrics = Registry::default();
        let progress = Arc::new(Metered::register(&mut metrics, progress::watcher()));
        posthog_calls::register(&mut metrics, &http);
        let server =
            server::start(&self.listen, Arc::clone(&store), metrics, shutdown.clone()).await?;

        let mut scheduler = Scheduler::new(SchedulerConfig {
            store,
            http,
            clock: Arc::new(SystemClock),
            progress,
            holder: holder.name(),
            max_concurrent: self.max_concurrent_syncs,
            region_probe: !self.posthog.no_region_probe,
            retry: RetryPolicy::default(),
        });
        scheduler.set(wanted).await?;
        follow_files(
            &mut loader,
            &mut scheduler,
            self.documents.default_plan,
            &shutdown,
        )
        .await;
        scheduler.drain().await;
        server.ended().await
    }
}

/// Takes changed files up until `shutdown`. Files that cannot be read leave everything as it is.
async fn follow_files(
    loader: &mut Loader,
    scheduler: &mut Scheduler,
    default_plan: Plan,
    shutdown: &CancellationToken,
) {
    let mut is_unfinished = false;
    loop {
        let mut watcher = loader.watch();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = watcher.changed() => {}
            () = tokio::time::sleep(TRY_AGAIN), if is_unfinished => {}
        }
        is_unfinished = false;
        match loader.load() {
            Ok(documents) => {
                tracing::info!("The files have changed; taking them up.");
                if let Err(error) = scheduler
                    .set(connections::scheduled(documents, default_plan))
                    .await
                {
                    tracing::error!(%error, "A removed connection could not be disconnected; trying again.");
                    is_unfinished = true;
                }
            }
            Err(refused) => {
                for problem in &refused.problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(
                    "The changed files are not taken up; the connections go on as before."
                );
            }
        }
    }
}
