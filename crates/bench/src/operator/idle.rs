//! Many healthy connections between their ticks: what the operator writes and uses while nothing is due,
//! and what a restart costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crd::PostHogConnection;
use domain::storage::Store;
use domain::window::next_tick;
use futures_util::{TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use store::OpenOptions;
use test_postgres::Server;
use uuid::Uuid;

use super::cluster::{AT_ONCE, Cluster, OPERATOR};
use super::connections::{NAME, api, document, holds, stand_in, until_every};
use super::process::{Installed, Operator};
use super::tally::Tally;
use super::{database, synced};
use crate::Outcome;
use crate::figures::{line, mebibytes, title};
use crate::program::Program;

/// The longest that a connection may have, so that few ticks fall into the time of the measurement.
const INTERVAL: SignedDuration = SignedDuration::from_hours(24);
/// No tick may be sooner than that.
const PEACE: SignedDuration = SignedDuration::from_mins(45);
/// How long the operator may take to find them all healthy.
const PATIENCE: Duration = Duration::from_secs(900);
/// What the operator is left alone before it is watched.
const SETTLING: Duration = Duration::from_secs(10);

/// Measures it.
pub(super) async fn idle(
    program: &Program,
    server: &Server,
    connections: usize,
    watched: Duration,
) -> Outcome<()> {
    title(&format!(
        "{connections} healthy connections, none of them due"
    ));
    let cluster = Cluster::start(connections).await?;
    let posthog = stand_in(connections).await?;
    let folder = tempfile::tempdir()?;
    let url = database(server, "idle")?;
    let store = store::open(&url, OpenOptions::default()).await?;
    let now = Timestamp::now();
    stream::iter((0..connections).map(Ok))
        .try_for_each_concurrent(AT_ONCE, |number| {
            create(&cluster.client, &store, posthog.url(), number, now)
        })
        .await?;
    let installed = Installed {
        program,
        cluster: &cluster,
        database: &url,
        folder: folder.path(),
        max_concurrent_syncs: 20,
    };
    let operator = Operator::start(&installed).await?;
    operator.ready().await?;
    let healthy = until_every(&cluster.client, connections, |connection| {
        holds(connection, crd::READY) && holds(connection, crd::SYNCED)
    });
    tokio::time::timeout(PATIENCE, healthy)
        .await
        .map_err(|_| format!("not all became healthy:\n{}", operator.said()))??;
    Tally::settled(&cluster, OPERATOR).await?;
    operator.kill().await?;

    let before = Tally::of(&cluster, OPERATOR)?.len();
    let operator = Operator::start(&installed).await?;
    let ready = operator.ready().await?;
    let all = u64::try_from(connections)?;
    let reconciled = operator.reconciled(all).await?;
    let spent = operator.usage()?.time;
    tokio::time::sleep(SETTLING).await;
    let restarted = Tally::of(&cluster, OPERATOR)?.len();
    line("restart: ready after", &seconds(ready));
    line(
        "restart: every connection reconciled after",
        &seconds(reconciled),
    );
    line("restart: CPU time until then", &seconds(spent));
    line("restart: writes", &(restarted - before).to_string());

    let began = Instant::now();
    let first = operator.usage()?;
    let looks = operator.reconciliations().await?;
    tokio::time::sleep(watched).await;
    let last = operator.usage()?;
    let share = (last.time - first.time).as_secs_f64() / began.elapsed().as_secs_f64();
    let written = Tally::of(&cluster, OPERATOR)?.len() - restarted;
    let looks = operator.reconciliations().await? - looks;
    line(
        &format!("writes in {} s", watched.as_secs()),
        &written.to_string(),
    );
    line("reconciliations in that time", &looks.to_string());
    line("memory (VmRSS)", &mebibytes(last.memory));
    line(
        "peak memory since the restart (VmHWM)",
        &mebibytes(last.peak),
    );
    line("share of a core", &format!("{:.2} %", share * 100.0));
    operator.kill().await
}

/// Creates a connection that was synced lately and is not due for long; who would be due soon by its UID is
/// created anew.
async fn create(
    client: &Client,
    store: &Arc<dyn Store>,
    host: &str,
    number: usize,
    now: Timestamp,
) -> Outcome<()> {
    let connections = api(client, number);
    let refresh = json!({"interval": "24h", "lookback": "24h"});
    let wanted: PostHogConnection = serde_json::from_value(document(host, number, &refresh))?;
    loop {
        let made = connections.create(&PostParams::default(), &wanted).await?;
        let uid = Uuid::parse_str(&made.uid().unwrap_or_default())?;
        if next_tick(uid, INTERVAL, now) > now + PEACE {
            return synced::record(&**store, &made, number, now).await;
        }
        connections.delete(NAME, &DeleteParams::default()).await?;
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
