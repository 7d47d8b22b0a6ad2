//! The command line: one command a role, each in its own file under `commands`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    check, crds, demo, erase, operator, probe, purge, release_finalizers, serve, sync, up,
};
use crate::settings::LogSettings;
use crate::{logging, terminal};

/// PostHog's events, funnel stages, identities and counts beside your commerce data.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    log: LogSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sync connections and serve gRPC on this machine, until Ctrl-C.
    Up(up::Args),
    /// Save and test: say what a connection's key and project allow, without storing anything.
    Check(check::Args),
    /// Print the CustomResourceDefinition of PostHogConnection, for kubectl apply.
    Crds(crds::Args),
    /// Show the whole product on a made-up shop: needs no PostHog, no key and no file.
    Demo(demo::Args),
    /// Remove everything that is stored of one person, for good.
    Erase(erase::Args),
    /// Ask a running gRPC server for its health and its first connection.
    Probe(probe::Args),
    /// Serve gRPC alone, on an existing store.
    Serve(serve::Args),
    /// Reconcile the PostHogConnections of a Kubernetes cluster.
    Operator(operator::Args),
    /// Remove what is stored of a deleted connection whose grace period is over.
    Purge(purge::Args),
    /// Take the operator's finalizer off every PostHogConnection of a cluster, before an uninstall.
    ReleaseFinalizers(release_finalizers::Args),
    /// Run one backfill, refresh or re-map and exit.
    Sync(sync::Args),
}

impl Cli {
    /// Runs the command and gives the documented exit code.
    pub(crate) async fn run(self) -> ExitCode {
        logging::install(self.log.log_format);
        let ended = match self.command {
            Command::Up(args) => args.run().await,
            Command::Check(args) => args.run().await,
            Command::Crds(args) => args.run(),
            Command::Demo(args) => args.run().await,
            Command::Erase(args) => args.run().await,
            Command::Operator(args) => Box::pin(args.run()).await,
            Command::Probe(args) => args.run().await,
            Command::Purge(args) => args.run().await,
            Command::ReleaseFinalizers(args) => args.run().await,
            Command::Serve(args) => args.run().await,
            Command::Sync(args) => args.run().await,
        };
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                terminal::print_error(&failure.message);
                ExitCode::from(failure.exit as u8)
            }
        }
    }
}
