//! The operator at scale, against a real API server: many connections at once, and many that have nothing
//! to do. It runs as a process of its own, so that its memory and its time are its own.

mod backfills;
mod bare;
mod burst;
mod cluster;
mod connections;
mod idle;
mod process;
mod synced;
mod tally;
mod templates;

use std::time::Duration;

use test_postgres::Server;

use crate::Outcome;
use crate::program::Program;

/// How large the measurements are.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Scale {
    /// The connections that are applied to the operator at once; 0 leaves that out.
    #[arg(long, default_value_t = 1_000)]
    burst: usize,
    /// The healthy connections that the operator keeps; 0 leaves that out.
    #[arg(long, default_value_t = 5_000)]
    idle: usize,
    /// For how many seconds the operator is watched while nothing is due.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Measures the operator.
pub(crate) async fn operator(program: &Program, scale: Scale, rounds: usize) -> Outcome<()> {
    let database = Server::start(&["shared_buffers=256MB", "checkpoint_timeout=1h"])?;
    if scale.burst > 0 {
        Box::pin(burst::burst(program, &database, scale.burst, rounds)).await?;
    }
    if scale.idle > 0 {
        let watched = Duration::from_secs(scale.seconds);
        idle::idle(program, &database, scale.idle, watched).await?;
    }
    Ok(())
}

/// A new database; its URL.
fn database(server: &Server, name: &str) -> Outcome<String> {
    server.drop_database(name)?;
    server.create_database(name, "template0")?;
    Ok(server.url(name))
}
