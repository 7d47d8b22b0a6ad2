//! A backfill by file exports beside one by queries, as `Auto` chooses by what the key may. PostHog is the
//! stand-in that the tests use: it makes each answer when it is asked, and has a part of the cores.

use jiff::Timestamp;
use posthog_stub::{ExportPolicy, Key, Stub, StubHandle, World, shop};
use serde::Deserialize;

use crate::Outcome;
use crate::copy::Copying;
use crate::figures::{line, mebibytes, title};
use crate::program::Program;

/// The key and the project that [`Program`] connects with.
const KEY: &str = "phx_bench";
const PROJECT: u64 = 1;
/// What a key is given that may start exports. Without the last, `Auto` asks by queries.
const SCOPES: [&str; 5] = [
    "query:read",
    "project:read",
    "event_definition:read",
    "cohort:read",
    "batch_export:write",
];
/// Rows in a file of an export.
const ROWS_A_FILE: usize = 50_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    via: String,
    events_stored: u64,
    requests: u64,
    bytes_received: u64,
    completeness: crate::program::Completeness,
}

/// Backfills of one shop by both ways, into both databases.
pub(crate) async fn exports(program: &Program, events: usize) -> Outcome<()> {
    let stub = posthog(events).await?;
    title(&format!(
        "A backfill of a shop of {events} events, by both ways"
    ));
    let copying = Copying::start().await?;
    let folder = tempfile::tempdir()?;
    let mut stored = Vec::new();
    for (scopes, expected) in [(&SCOPES[..], "FileExport"), (&SCOPES[..4], "Query")] {
        stub.edit(|world| {
            if let Some(key) = world.key_mut(KEY) {
                key.scopes = Some(scopes.iter().map(|&scope| scope.to_owned()).collect());
            }
        });
        let file = folder.path().join(format!("{expected}.db"));
        for (database, url) in [
            ("PostgreSQL", copying.database("exports")?),
            ("SQLite", format!("sqlite://{}", file.display())),
        ] {
            let ran = program
                .run(stub.url(), &url, folder.path(), "backfill")
                .await?;
            let summary: Summary = serde_json::from_str(&ran.said)?;
            let left = summary.completeness.pending + summary.completeness.mismatch;
            if summary.via != expected || left > 0 {
                return Err(format!("not by {expected}, or not whole: {}", ran.said).into());
            }
            stored.push(summary.events_stored);
            line(
                &format!("{database}, {expected}"),
                &format!(
                    "{:.2} s, {} requests, {} received, peak {}",
                    ran.time.as_secs_f64(),
                    summary.requests,
                    mebibytes(summary.bytes_received),
                    mebibytes(ran.peak)
                ),
            );
        }
    }
    if stored.iter().any(|&events| events != stored[0]) {
        return Err(format!("the ways stored {stored:?} events").into());
    }
    line("events stored, each time", &stored[0].to_string());
    stub.shutdown().await;
    Ok(())
}

async fn posthog(events: usize) -> Outcome<StubHandle> {
    // PostHog's instants have microseconds.
    let now = Timestamp::from_microsecond(Timestamp::now().as_microsecond())?;
    let shop = shop::Shop {
        events,
        days: 28,
        project_id: PROJECT,
        ..shop::Shop::new(now)
    };
    let world = World::new()
        .with_project(shop.generate())
        .with_key(Key::new(KEY));
    let stub = Stub::start(world).await?;
    stub.set_exports(ExportPolicy {
        rows_a_file: ROWS_A_FILE,
        ..ExportPolicy::default()
    });
    Ok(stub)
}
