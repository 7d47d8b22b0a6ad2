//! `ordinary-posthog`: PostHog's events, funnel stages and identities beside commerce data.
//! One binary for every role; see [`cli`] for the commands.

mod admin;
mod certificates;
mod cli;
mod commands;
mod connections;
mod exit;
mod holder;
mod logging;
mod metrics;
mod patience;
mod posthog_calls;
mod progress;
mod server;
mod settings;
mod signals;
mod terminal;

use clap::Parser;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    // Two TLS stacks (PostHog, gRPC) share one provider; without a default one they would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::Cli::parse().run().await
}
