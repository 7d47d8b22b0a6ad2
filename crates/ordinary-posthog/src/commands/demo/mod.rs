//! `demo`: the whole product on a made-up shop, with nothing to prepare.

mod clicks;
mod report;

use std::path::PathBuf;
use std::sync::Arc;

use documents::Loader;
use domain::Plan;
use jiff::Timestamp;
use posthog_stub::{Key, Stub, StubHandle, World, shop::Shop};
use prometheus_client::registry::Registry;
use secrecy::SecretString;
use sync::{
    DEFAULT_CONCURRENT_SYNCS, RetryPolicy, Scheduled, Scheduler, SchedulerConfig, SystemClock,
};
use tokio::sync::mpsc;

use crate::exit::{Exit, Failure};
use crate::holder::Holder;
use crate::progress::{self, Notifying};
use crate::settings::{ListenSettings, PostHogSettings};
use crate::{connections, server, signals, terminal};

/// The key of the made-up shop; the stand-in knows it and nobody else does.
const KEY: &str = "phx_demo0000000000000000000000000000000000000";
/// What the key may do: everything optional but file exports, which the demo does not have.
const SCOPES: [&str; 4] = [
    "query:read",
    "project:read",
    "event_definition:read",
    "cohort:read",
];

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop after the report instead of serving until Ctrl-C.
    #[arg(long)]
    exit: bool,
    /// About how many events the shop has in its 30 days.
    #[arg(long, default_value_t = 220_000)]
    events: usize,
    #[command(flatten)]
    listen: ListenSettings,
}

impl Args {
    /// Starts the stand-in, syncs it as any PostHog, reports, and serves.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let began = std::time::Instant::now();
        let stand_in = stand_in(self.events).await?;
        let connection = connection(stand_in.url())?;
        let folder = Folder::new()?;
        let url = format!("sqlite://{}", folder.0.join("demo.db").display());
        let store = store::open(&url, store::OpenOptions::default()).await?;
        let holder = Holder::new(&url, &*store).await?;
        let shutdown =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        let server = server::start(
            &self.listen,
            Arc::clone(&store),
            Registry::default(),
            shutdown.clone(),
        )
        .await?;

        let name = connection.settings.desired.name.clone();
        let (ends, mut ended) = mpsc::unbounded_channel();
        let mut scheduler = Scheduler::new(SchedulerConfig {
            store,
            http: connections::http(&PostHogSettings {
                ca_bundle: None,
                allow_insecure_host: vec!["127.0.0.1".to_owned()],
                no_region_probe: true,
            })?,
            clock: Arc::new(SystemClock),
            progress: Arc::new(Notifying::new(progress::watcher(), ends)),
            holder: holder.name(),
            max_concurrent: DEFAULT_CONCURRENT_SYNCS,
            region_probe: false,
            retry: RetryPolicy::default(),
        });
        scheduler.set(vec![connection]).await?;
        tokio::select! {
            () = shutdown.cancelled() => {}
            Some(ended) = ended.recv() => {
                ended.map_err(|message| Failure::new(Exit::NotUnderstood, message))?;
                let report = report::report(server.grpc, &name, began.elapsed()).await?;
                terminal::print(&report);
                if self.exit {
                    shutdown.cancel();
                } else {
                    terminal::print("\nServing until Ctrl-C.\n");
                }
            }
        }
        shutdown.cancelled().await;
        scheduler.drain().await;
        server.ended().await?;
        stand_in.shutdown().await;
        Ok(())
    }
}

async fn stand_in(events: usize) -> Result<StubHandle, Failure> {
    let now = Timestamp::now();
    let shop = Shop {
        events,
        ..Shop::new(now)
    };
    let project = shop.generate();
    let world = World::new()
        .with_project(project)
        .with_key(Key::new(KEY).label("Ordinary demo").scopes(SCOPES));
    Stub::start(world).await.map_err(|error| {
        Failure::new(
            Exit::Configuration,
            format!("The stand-in PostHog cannot listen on loopback: {error}."),
        )
    })
}

/// The connection as a user would write it, read as any other.
fn connection(host: &str) -> Result<Scheduled, Failure> {
    let text = format!(
        "apiVersion: v1
kind: Secret
metadata: {{name: posthog, namespace: demo}}
stringData: {{apiKey: {KEY}}}
---
apiVersion: integrations.ordinary.dev/v1alpha1
kind: PostHogConnection
metadata: {{name: storefront, namespace: demo}}
spec:
  host: {host}
  projectId: 4242
  apiKeySecretRef: {{name: posthog, key: apiKey}}
"
    );
    let documents = Loader::new(vec![PathBuf::from("-")])
        .with_stdin(SecretString::from(text))
        .load()
        .map_err(connections::refused)?;
    let mut connections = connections::scheduled(documents, Plan::Starter);
    connections.pop().ok_or_else(|| {
        Failure::new(
            Exit::Configuration,
            "The demo's own document has no connection.",
        )
    })
}

/// A folder of this process's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path =
            std::env::temp_dir().join(format!("ordinary-posthog-demo-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).map_err(|error| {
            Failure::new(
                Exit::Store,
                format!("{} cannot be made: {error}.", path.display()),
            )
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing to be done about a folder that stays; the system clears its temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
