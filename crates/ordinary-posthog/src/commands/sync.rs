//! `sync`: one run of one connection, then exit; what a Job of the operator runs.

use std::sync::Arc;
use std::time::Duration;

use domain::ConnectionName;
use domain::sync::SyncMode;
use jiff::Timestamp;
use serde::Serialize;
use sync::{Context, RetryPolicy, Scheduled, SystemClock};

use crate::exit::{Exit, Failure};
use crate::holder::Holder;
use crate::settings::{DocumentSettings, PostHogSettings, StoreSettings};
use crate::{connections, progress, signals, terminal};

/// After a kill -9 the lease of the killed run lives for up to a minute; a Job waits for it.
const PATIENCE: Duration = Duration::from_secs(70);

/// The arguments of `sync`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    documents: DocumentSettings,
    /// What to do with the connection.
    #[arg(long, value_enum)]
    mode: Mode,
    /// Pull only what is in the store already, as the store has it: its plan and suspension hold over the
    /// documents', and a connection that is not there or was deleted is left alone. What Jobs are given.
    #[arg(long)]
    registered: bool,
    /// Which connection, as namespace/name; needed when the files have several.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    connection: Option<String>,
    #[command(flatten)]
    store: StoreSettings,
    #[command(flatten)]
    posthog: PostHogSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// Read all configured days.
    Backfill,
    /// Read the lookback and what arrived late.
    Refresh,
    /// Assign what is stored by the document's mapping and time zone, without reading events again.
    Remap,
}

impl Args {
    /// Runs once and prints the summary as one JSON line.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut connection = choose(
            connections::load(&self.documents)?,
            self.connection.as_deref(),
        )?;
        if !self.registered {
            sync::admit(&connection.settings.desired)?;
        }
        let http = connections::http(&self.posthog)?;
        let url = self.store.url()?;
        let store = store::open(&url, store::OpenOptions::default()).await?;
        let holder = Holder::new(&url, &*store).await?;
        let cancel =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        if self.registered {
            connection.settings = sync::registered(&*store, connection.settings).await?;
        } else {
            store
                .put_connection(&connection.settings.desired, Timestamp::now())
                .await?;
        }
        let context = Context {
            client: connections::run_client(&connection, &http, &store),
            store,
            clock: Arc::new(SystemClock),
            progress: progress::watcher(),
            cancel,
            holder: holder.name(),
            patience: PATIENCE,
            retry: RetryPolicy::default(),
        };
        let settings = &connection.settings;
        match self.mode {
            Mode::Backfill => print(&sync::run(&context, settings, SyncMode::Backfill).await?),
            Mode::Refresh => print(&sync::run(&context, settings, SyncMode::Refresh).await?),
            Mode::Remap => print(&sync::remap(&context, settings).await?),
        }
    }
}

fn print(summary: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(summary).map_err(|error| {
        Failure::new(
            Exit::Store,
            format!("The summary cannot be written: {error}"),
        )
    })?;
    terminal::print(&format!("{line}\n"));
    Ok(())
}

fn choose(connections: Vec<Scheduled>, wanted: Option<&str>) -> Result<Scheduled, Failure> {
    let names: Vec<String> = connections
        .iter()
        .map(|c| c.settings.desired.name.to_string())
        .collect();
    let is_wanted = |name: &ConnectionName| wanted.is_none_or(|wanted| name.to_string() == wanted);
    let mut matching = connections
        .into_iter()
        .filter(|c| is_wanted(&c.settings.desired.name));
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Failure::new(
            Exit::Configuration,
            format!(
                "The files have several connections: choose one with --connection ({}).",
                names.join(", ")
            ),
        )),
        (None, _) => Err(Failure::new(
            Exit::Configuration,
            format!(
                "--connection {}: the files have no such connection, they have {}.",
                wanted.unwrap_or_default(),
                names.join(", ")
            ),
        )),
    }
}
