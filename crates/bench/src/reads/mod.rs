//! Reads through gRPC, from a server that is a process of its own.

mod caller;
mod cores;
mod counts;
mod pages;
mod pgbench;

use crate::Outcome;
use crate::copy::Copying;
use crate::program::Program;
use crate::shop::Shop;
use crate::stand_in::StandIn;

/// The connection that is read.
const PARENT: &str = "namespaces/bench/connections/shop";
/// The database that is read.
const DATABASE: &str = "small";

/// What the measurements read.
struct Pulled<'a> {
    program: &'a Program,
    copying: Copying,
    shop: Shop,
    folder: tempfile::TempDir,
}

/// Pulls the shop and measures reads of it.
pub(crate) async fn reads(program: &Program, events: usize, rounds: usize) -> Outcome<()> {
    let shop = Shop::new(events);
    let stand_in = StandIn::serve(shop).await?;
    let copying = Copying::start().await?;
    let folder = tempfile::tempdir()?;
    let url = copying.database(DATABASE)?;
    program.sync(&stand_in, &url, folder.path()).await?;
    copying.server.run(DATABASE, "VACUUM ANALYZE")?;
    let pulled = Pulled {
        program,
        copying,
        shop,
        folder,
    };
    pages::pages(&pulled, rounds).await?;
    counts::counts(&pulled).await
}
