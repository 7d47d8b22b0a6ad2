//! Settings that several commands share, as flags and as `ORDINARY_POSTHOG_…` variables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use domain::Plan;
use domain::storage::Store;
use etcetera::BaseStrategy;
use store::DatabaseUrl;

use crate::exit::{Exit, Failure};
use crate::logging::LogFormat;

/// How the program logs.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogSettings {
    /// The form of log lines.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_LOG_FORMAT",
        value_enum,
        default_value = "text",
        global = true
    )]
    pub(crate) log_format: LogFormat,
}

/// Where rows are kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreSettings {
    /// The database: sqlite:///absolute/path or postgres://user:password@host/name.
    /// Default: a SQLite file in the user's data folder.
    #[arg(long, env = "ORDINARY_POSTHOG_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
}

impl StoreSettings {
    /// The database to open.
    ///
    /// # Errors
    /// When there is no home folder to put the default file in.
    pub(crate) fn url(&self) -> Result<String, Failure> {
        if let Some(url) = &self.database_url {
            return Ok(url.clone());
        }
        let base = etcetera::choose_base_strategy().map_err(|error| {
            Failure::new(
                Exit::Configuration,
                format!("There is no home folder for the database ({error}): give --database-url."),
            )
        })?;
        let file = base
            .data_dir()
            .join("ordinary-posthog")
            .join("ordinary-posthog.db");
        Ok(format!("sqlite://{}", file.display()))
    }

    /// Opens a store that others fill.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub(crate) async fn open_existing(&self) -> Result<Arc<dyn Store>, Failure> {
        let url = self.existing_url()?;
        Ok(store::open(&url, store::OpenOptions::default()).await?)
    }

    /// The database to open, that others fill.
    ///
    /// # Errors
    /// When it is a file that is not there.
    pub(crate) fn existing_url(&self) -> Result<String, Failure> {
        let url = self.url()?;
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
        Ok(url)
    }
}

/// Where the program listens.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListenSettings {
    /// Where gRPC is served. An address other than loopback needs the --grpc-tls-… settings.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_GRPC_ADDR",
        default_value = "127.0.0.1:50051"
    )]
    pub(crate) grpc_addr: SocketAddr,
    #[command(flatten)]
    pub(crate) admin: AdminSettings,
    /// PEM file with the server's certificate chain; together with the next two it turns on mutual TLS.
    #[arg(long, env = "ORDINARY_POSTHOG_GRPC_TLS_CERT", requires_all = ["grpc_tls_key", "grpc_tls_client_ca"])]
    pub(crate) grpc_tls_cert: Option<PathBuf>,
    /// PEM file with the server's private key.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_GRPC_TLS_KEY",
        requires = "grpc_tls_cert"
    )]
    pub(crate) grpc_tls_key: Option<PathBuf>,
    /// PEM file with the authority that must have signed a client's certificate.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_GRPC_TLS_CLIENT_CA",
        requires = "grpc_tls_cert"
    )]
    pub(crate) grpc_tls_client_ca: Option<PathBuf>,
    /// MiB of memory for graphs of identities: ids of a connection that has one are resolved ten times
    /// faster. A million distinct ids take some 200 MiB. 0 for none.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_IDENTITY_MEMORY_MIB",
        default_value_t = 256
    )]
    pub(crate) identity_memory_mib: u32,
}

impl ListenSettings {
    /// Limits and pauses of the gRPC server.
    pub(crate) fn grpc(&self) -> grpc::Settings {
        let mib = usize::try_from(self.identity_memory_mib).unwrap_or(usize::MAX);
        grpc::Settings {
            identity_memory: mib.saturating_mul(1024 * 1024),
            ..grpc::Settings::default()
        }
    }
}

/// Where the program tells how it is.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdminSettings {
    /// Where /livez, /readyz and /metrics are served, in plain HTTP.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_ADMIN_ADDR",
        default_value = "127.0.0.1:9464"
    )]
    pub(crate) admin_addr: SocketAddr,
}

/// How PostHog is reached.
#[derive(Debug, Clone, Args)]
pub(crate) struct PostHogSettings {
    /// PEM file with authorities to trust beside the system's, for a PostHog with a private one.
    #[arg(long, env = "ORDINARY_POSTHOG_CA_BUNDLE")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// A host name that may be plain http or have a private or loopback address. May be repeated.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_ALLOW_INSECURE_HOST",
        value_delimiter = ','
    )]
    pub(crate) allow_insecure_host: Vec<String>,
    /// Do not ask the other PostHog Cloud region about a key that the configured one does not know.
    #[arg(long, env = "ORDINARY_POSTHOG_NO_REGION_PROBE")]
    pub(crate) no_region_probe: bool,
}

/// Which connections, on which plan.
#[derive(Debug, Clone, Args)]
pub(crate) struct DocumentSettings {
    /// A YAML file with PostHogConnection, Secret and Namespace documents; a folder of them; or - for
    /// standard input. May be repeated.
    #[arg(short = 'f', long = "file", required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The plan of workspaces for which no Namespace document with an ordinary.dev/plan label is given.
    #[arg(long, env = "ORDINARY_POSTHOG_DEFAULT_PLAN", default_value = "starter")]
    pub(crate) default_plan: Plan,
}
