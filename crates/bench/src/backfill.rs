//! Whole backfills through the real program, beside the plainest way into the same tables.

use crate::Outcome;
use crate::bare::Bare;
use crate::copy::Copying;
use crate::figures::{line, mebibytes, rate, ratios, rows_a_second, title};
use crate::program::{Program, Synced};
use crate::shop::{DAYS, Shop};
use crate::stand_in::StandIn;

/// Into PostgreSQL, beside `psql \copy`.
pub(crate) async fn postgres(program: &Program, events: usize, rounds: usize) -> Outcome<()> {
    title(&format!("A backfill of {events} events into PostgreSQL"));
    let stand_in = StandIn::serve(Shop::new(events)).await?;
    let copying = Copying::start().await?;
    let folder = tempfile::tempdir()?;
    // The stand-in makes its answers, and the rows for `\copy` come of it.
    let url = copying.database("synced")?;
    program.sync(&stand_in, &url, folder.path()).await?;
    copying.export("synced")?;

    let (mut ours, mut theirs, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..rounds {
        let url = copying.database("synced")?;
        let synced = program.sync(&stand_in, &url, folder.path()).await?;
        ours.push(rate(events, synced.time));
        last = Some(synced);
        theirs.push(rate(events, copying.load("plain")?));
        bare.push(rate(events, stand_in.read_bare().await?.0));
    }
    let loaded = copying.server.run("plain", "SELECT count(*) FROM events")?;
    if loaded != events.to_string() {
        return Err(format!("\\copy loaded {loaded} rows").into());
    }
    line(
        "the stand-in, read by a bare HTTP client",
        &rows_a_second(&bare),
    );
    line(
        "`sync --mode backfill`, the whole process",
        &rows_a_second(&ours),
    );
    line("psql \\copy of the same rows", &rows_a_second(&theirs));
    line("ratio to \\copy", &ratios(&ours, &theirs));
    cost(last.as_ref());
    Ok(())
}

/// Into SQLite, beside prepared inserts.
pub(crate) async fn sqlite(program: &Program, events: usize, rounds: usize) -> Outcome<()> {
    title(&format!("A backfill of {events} events into SQLite"));
    let shop = Shop::new(events);
    let stand_in = StandIn::serve(shop).await?;
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let url = |name: &str| format!("sqlite://{}", file(name).display());
    program
        .sync(&stand_in, &url("first.db"), folder.path())
        .await?;
    std::fs::remove_file(file("first.db"))?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut last = None;
    for round in 0..rounds {
        let (synced, plain) = (format!("synced-{round}.db"), format!("plain-{round}.db"));
        let run = program
            .sync(&stand_in, &url(&synced), folder.path())
            .await?;
        ours.push(rate(events, run.time));
        last = Some(run);
        let mut bare = Bare::open(&file(&plain)).await?;
        for day in 0..DAYS {
            bare.insert(&shop.day(day)).await?;
        }
        theirs.push(rate(events, bare.spent()));
        drop(bare);
        for name in [synced, plain] {
            std::fs::remove_file(file(&name))?;
        }
    }
    line(
        "`sync --mode backfill`, the whole process",
        &rows_a_second(&ours),
    );
    line(
        "bare prepared inserts of the same rows",
        &rows_a_second(&theirs),
    );
    line("ratio to bare inserts", &ratios(&ours, &theirs));
    cost(last.as_ref());
    Ok(())
}

fn cost(synced: Option<&Synced>) {
    if let Some(synced) = synced {
        let summary = &synced.summary;
        line("requests", &summary.requests.to_string());
        line("received, decompressed", &mebibytes(summary.bytes_received));
        line("peak memory of `sync`", &mebibytes(synced.peak));
    }
}
