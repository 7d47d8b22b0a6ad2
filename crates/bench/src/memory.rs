//! The peak memory of `sync`, which must not grow with the number of events.

use crate::Outcome;
use crate::copy::Copying;
use crate::figures::{line, mebibytes, title};
use crate::program::Program;
use crate::shop::Shop;
use crate::stand_in::StandIn;

/// Backfills shops of several sizes, into both databases.
pub(crate) async fn peaks(program: &Program, sizes: &[usize]) -> Outcome<()> {
    title("Peak memory of `sync` (VmHWM)");
    let copying = Copying::start().await?;
    for &events in sizes {
        let stand_in = StandIn::serve(Shop::new(events)).await?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("memory.db");
        let databases = [
            ("PostgreSQL", copying.database("memory")?),
            ("SQLite", format!("sqlite://{}", file.display())),
        ];
        for (name, url) in databases {
            let synced = program.sync(&stand_in, &url, folder.path()).await?;
            line(
                &format!("{events} events into {name}"),
                &mebibytes(synced.peak),
            );
        }
    }
    Ok(())
}
