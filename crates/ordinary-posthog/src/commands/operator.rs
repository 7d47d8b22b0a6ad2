//! `operator`: reconciles the `PostHogConnection`s of a cluster. Of several replicas one leads, and the others
//! stand by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::operator::{Metrics, OperatorConfig, Parts, Readiness};
use posthog::{Http, HttpConfig};
use prometheus_client::registry::Registry;
use sync::SystemClock;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admin::{self, Part};
use crate::exit::{Exit, Failure};
use crate::settings::{AdminSettings, StoreSettings};
use crate::{patience, posthog_calls, signals};

/// The arguments of `operator`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The YAML file that says how the operator was installed; the chart writes it.
    #[arg(long, env = "ORDINARY_POSTHOG_OPERATOR_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// This replica's name among the others: its pod's. Default: one that no other process has.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    identity: Option<String>,
    /// PEM file with authorities to trust beside the system's, for a PostHog with a private one.
    #[arg(long, env = "ORDINARY_POSTHOG_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,
    #[command(flatten)]
    store: StoreSettings,
    #[command(flatten)]
    admin: AdminSettings,
}

impl Args {
    /// Reconciles until SIGTERM: then what is under way ends and another replica leads.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut config = read(&self.config)?;
        config.identity = self.identity.unwrap_or_else(|| Uuid::now_v7().to_string());
        let http = Http::new(HttpConfig {
            ca_bundle: self.ca_bundle,
            allow_insecure_hosts: config.allow_insecure_hosts.clone(),
            ..HttpConfig::default()
        })?;
        let url = self.store.url()?;
        let shutdown =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        posthog_calls::register(&mut registry, &http);
        let client = ::operator::connect(&metrics).await?;
        let readiness = Readiness::default();
        let part = Part::Operator(readiness.clone());
        // While another takes over, probes and metrics are still answered.
        let ended = CancellationToken::new();
        let _end = ended.clone().drop_guard();
        let address = admin::start(self.admin.admin_addr, part, registry, ended).await?;
        tracing::info!(%address, identity = config.identity, "Health and metrics are served.");
        // A database that is down for a while is no reason to be restarted again and again.
        let Some(store) = patience::open(&url, None, &shutdown).await? else {
            return Ok(());
        };
        let parts = Parts {
            config,
            client,
            store,
            http,
            clock: Arc::new(SystemClock),
            metrics,
            readiness,
        };
        Ok(::operator::run(parts, shutdown).await?)
    }
}

fn read(file: &Path) -> Result<OperatorConfig, Failure> {
    let wrong = |why: String| {
        Failure::new(
            Exit::Configuration,
            format!("--config {} cannot be used: {why}", file.display()),
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    OperatorConfig::from_yaml(&text).map_err(wrong)
}
