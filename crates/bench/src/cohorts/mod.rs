//! A cohort of a million: its first sync, one in which nothing changed, one in which little did.

mod posthog;

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use self::posthog::PostHog;
use crate::Outcome;
use crate::copy::Copying;
use crate::figures::{line, mebibytes, title};
use crate::program::Program;

/// Members that leave, and as many who come, in the last measurement.
const CHANGED: usize = 500;

#[derive(Debug, Deserialize)]
struct Summary {
    requests: u64,
    cohorts: Cohorts,
}

#[derive(Debug, Deserialize)]
struct Cohorts {
    compared: u64,
    unchanged: u64,
    entered: u64,
    left: u64,
}

/// Refreshes of a connection with one cohort, into both databases.
pub(crate) async fn cohorts(program: &Program, members: usize) -> Outcome<()> {
    title(&format!("A cohort of {members} members"));
    let copying = Copying::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cohorts.db");
    for (name, url) in [
        ("PostgreSQL", copying.database("cohorts")?),
        ("SQLite", format!("sqlite://{}", file.display())),
    ] {
        let posthog = PostHog::serve(members).await?;
        let run = async |mode: &str| refresh(program, &posthog, &url, folder.path(), mode).await;
        run("backfill").await?;
        let calm = run("refresh").await?;
        report(name, "a refresh before there are cohorts", &calm);

        posthog.compute(0);
        let first = run("refresh").await?;
        expect(&first, (1, 0, members, 0))?;
        report(name, "with its first sync", &first);

        posthog.compute(0);
        let same = run("refresh").await?;
        expect(&same, (1, 1, 0, 0))?;
        report(name, "computed anew and unchanged", &same);

        posthog.compute(CHANGED);
        let little = run("refresh").await?;
        expect(&little, (1, 0, CHANGED, CHANGED))?;
        report(name, &format!("{CHANGED} left, {CHANGED} came"), &little);
    }
    Ok(())
}

struct Ran {
    time: Duration,
    peak: u64,
    summary: Summary,
}

async fn refresh(
    program: &Program,
    posthog: &PostHog,
    database: &str,
    folder: &Path,
    mode: &str,
) -> Outcome<Ran> {
    let ran = program.run(&posthog.url(), database, folder, mode).await?;
    Ok(Ran {
        time: ran.time,
        peak: ran.peak,
        summary: serde_json::from_str(&ran.said)?,
    })
}

/// That a run did what it was meant to do: (compared, unchanged, entered, left).
fn expect(ran: &Ran, expected: (u64, u64, usize, usize)) -> Outcome<()> {
    let did = &ran.summary.cohorts;
    let (compared, unchanged, entered, left) = expected;
    let expected = (compared, unchanged, entered as u64, left as u64);
    if (did.compared, did.unchanged, did.entered, did.left) != expected {
        return Err(format!("{did:?} instead of {expected:?}").into());
    }
    Ok(())
}

fn report(database: &str, what: &str, ran: &Ran) {
    line(
        &format!("{database}, {what}"),
        &format!(
            "{:.2} s, {} requests, {}",
            ran.time.as_secs_f64(),
            ran.summary.requests,
            mebibytes(ran.peak)
        ),
    );
}
