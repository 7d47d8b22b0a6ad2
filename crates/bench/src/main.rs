//! Measures the whole product on this machine, and prints ratios of one run:
//! `cargo run --release -p bench`. What is compared with what, and why, is in `docs/performance.md`.
#![allow(clippy::print_stdout)]

mod answers;
mod backfill;
mod bare;
mod clickmap;
mod cohorts;
mod copy;
mod desired;
mod elements;
mod exports;
mod figures;
mod grown;
mod identity;
mod memory;
mod operator;
mod program;
mod reads;
mod shop;
mod stand_in;
mod worked;

use std::error::Error;

use clap::Parser;

use crate::program::Program;

/// What a measurement comes to.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures the product; without the name of a part, all of it.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// The events of the shop that is pulled.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// The distinct ids of the identity graph.
    #[arg(long, default_value_t = 1_000_000)]
    ids: usize,
    /// How often the compared ways take turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The members of the cohort that is pulled.
    #[arg(long, default_value_t = 1_000_000)]
    members: usize,
    #[command(flatten)]
    scale: operator::Scale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// A backfill into PostgreSQL beside `psql \copy`.
    Postgres,
    /// A backfill into SQLite beside bare prepared inserts.
    Sqlite,
    /// The peak memory of `sync` at 100,000 events and at twice the shop's.
    Memory,
    /// A million person mappings taken in, read again, and resolved; builds no program.
    Identity,
    /// Daily counts at the shop's size and at ten times that; pages of mapped events beside pgbench.
    Reads,
    /// Elements chains beside the regular expressions of PostHog's own reader; builds no program.
    Elements,
    /// A backfill by file exports beside one by queries, of a fifth of the shop's events.
    Exports,
    /// A large cohort: its first sync, one without changes, one with few.
    Cohorts,
    /// Clickmaps of as many clicks as the shop has events, made and read; builds no program.
    Clickmap,
    /// Connections applied at once beside a bare loop of the same writes; idle connections; a restart.
    Operator,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let args = Args::parse();
    // An error says that there is a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let wanted = |part| args.parts.is_empty() || args.parts.contains(&part);
    if args.parts == [Part::Identity] {
        figures::machine();
        return Box::pin(identity::identity(args.ids)).await;
    }
    if args.parts == [Part::Elements] {
        figures::machine();
        return elements::elements(args.rounds);
    }
    if args.parts == [Part::Clickmap] {
        figures::machine();
        return clickmap::clickmap(args.events).await;
    }
    let program = Program::build()?;
    figures::machine();
    if wanted(Part::Elements) {
        elements::elements(args.rounds)?;
    }
    if wanted(Part::Postgres) {
        backfill::postgres(&program, args.events, args.rounds).await?;
    }
    if wanted(Part::Sqlite) {
        backfill::sqlite(&program, args.events, args.rounds).await?;
    }
    if wanted(Part::Exports) {
        exports::exports(&program, args.events / 5).await?;
    }
    if wanted(Part::Cohorts) {
        cohorts::cohorts(&program, args.members).await?;
    }
    if wanted(Part::Memory) {
        memory::peaks(&program, &[100_000, 2 * args.events]).await?;
    }
    if wanted(Part::Identity) {
        Box::pin(identity::identity(args.ids)).await?;
    }
    if wanted(Part::Reads) {
        reads::reads(&program, args.events, args.rounds).await?;
    }
    if wanted(Part::Clickmap) {
        clickmap::clickmap(args.events).await?;
    }
    if wanted(Part::Operator) {
        Box::pin(operator::operator(&program, args.scale, args.rounds)).await?;
    }
    Ok(())
}
