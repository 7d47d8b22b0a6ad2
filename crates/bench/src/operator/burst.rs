//! Many connections applied at once: how long until PostHog was asked about each and each has its backfill
//! Job, beside a bare loop of the same writes.

use std::time::{Duration, Instant};

use futures_util::{TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use test_postgres::Server;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::bare::{self, Applied};
use super::cluster::{AT_ONCE, BARE, Cluster, OPERATOR, OWN, workspace};
use super::connections::{self, holds, stand_in, until_every};
use super::process::{Installed, Operator};
use super::tally::Tally;
use super::templates::Templates;
use super::{backfills, database};
use crate::Outcome;
use crate::figures::{line, mebibytes, ratios, title};
use crate::program::Program;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the operator was seen to do.
struct Seen {
    /// From the first application to the last connection's status and Job.
    time: Duration,
    /// From the same to the last write of the operator.
    whole: Duration,
    writes: Tally,
    templates: Templates,
}

/// Measures both in turn, each on a control plane of its own.
pub(super) async fn burst(
    program: &Program,
    database: &Server,
    connections: usize,
    rounds: usize,
) -> Outcome<()> {
    title(&format!("{connections} connections applied at once"));
    let (mut ours, mut theirs, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let seen = operator(program, database, connections, round == 0).await?;
        let expected = seen.writes.len();
        ours.push(seen.time.as_secs_f64());
        wholes.push(seen.whole.as_secs_f64());
        if round == 0 {
            line("writes of the operator", &expected.to_string());
            seen.writes.print();
        }
        let (time, writes) = plain(connections, seen.templates).await?;
        theirs.push(time.as_secs_f64());
        if round == 0 {
            line("writes of the bare loop", &writes.to_string());
        }
    }
    let seconds = |times: &[f64]| {
        let each: Vec<String> = times.iter().map(|time| format!("{time:.1}")).collect();
        format!("{} s", each.join(", "))
    };
    line(
        "the operator: all validated, with their Jobs",
        &seconds(&ours),
    );
    line(
        "the operator: its last write, Events included",
        &seconds(&wholes),
    );
    line("a bare loop of the same writes", &seconds(&theirs));
    line("ratio", &ratios(&ours, &theirs));
    line(
        "ratio, to the operator's last write",
        &ratios(&wholes, &theirs),
    );
    Ok(())
}

async fn operator(
    program: &Program,
    server: &Server,
    connections: usize,
    is_first: bool,
) -> Outcome<Seen> {
    let cluster = Cluster::start(connections).await?;
    let posthog = stand_in(connections).await?;
    let folder = tempfile::tempdir()?;
    let url = database(server, "burst")?;
    let operator = Operator::start(&Installed {
        program,
        cluster: &cluster,
        database: &url,
        folder: folder.path(),
        max_concurrent_syncs: connections,
    })
    .await?;
    operator.ready().await?;
    let before = operator.usage()?;
    let begun_at = Timestamp::now();
    let begun = Instant::now();
    let applying = apply(&cluster.client, posthog.url(), connections, None);
    let watching = accepted(&cluster.client, connections);
    let ((), statuses) =
        tokio::time::timeout(PATIENCE, async { tokio::try_join!(applying, watching) })
            .await
            .map_err(|_| format!("the operator never came to an end:\n{}", operator.said()))??;
    let time = begun.elapsed();
    let writes = Tally::settled(&cluster, OPERATOR).await?;
    let whole = writes.ended_at()?.duration_since(begun_at).try_into()?;
    assert_jobs(&cluster, connections).await?;
    let templates = Templates::read(&cluster, 0, statuses).await?;
    if is_first {
        let after = operator.usage()?;
        line(
            "the operator's CPU time",
            &format!("{:.1} s", (after.time - before.time).as_secs_f64()),
        );
        line("its peak memory", &mebibytes(after.peak));
        line(
            "reconciliations",
            &operator.reconciliations().await?.to_string(),
        );
        line(
            "status writes until Ready, at most",
            &writes.most_status_writes().to_string(),
        );
        backfills::complete(&cluster, &url, connections).await?;
    }
    operator.kill().await?;
    Ok(Seen {
        time,
        whole,
        writes,
        templates,
    })
}

/// How long the bare loop takes, and how many writes it is.
async fn plain(connections: usize, templates: Templates) -> Outcome<(Duration, usize)> {
    let cluster = Cluster::start(connections).await?;
    let client = cluster.client_of(BARE).await?;
    let begun = Instant::now();
    let (sender, receiver) = mpsc::unbounded_channel();
    let host = "https://eu.posthog.com";
    let applying = apply(&cluster.client, host, connections, Some(sender));
    let writing = bare::write(&client, templates, receiver);
    tokio::try_join!(applying, writing)?;
    let time = begun.elapsed();
    assert_jobs(&cluster, connections).await?;
    Ok((time, Tally::of(&cluster, BARE)?.len()))
}

/// Applies every connection, and tells of each.
async fn apply(
    client: &Client,
    host: &str,
    connections: usize,
    told: Option<UnboundedSender<Applied>>,
) -> Outcome<()> {
    let told = &told;
    stream::iter((0..connections).map(Ok))
        .try_for_each_concurrent(AT_ONCE, |number| async move {
            let connection = connections::apply(client, host, number).await?;
            if let Some(told) = told {
                let uid = connection.uid().unwrap_or_default();
                told.send(Applied { number, uid })?;
            }
            Ok(())
        })
        .await
}

/// Waits until PostHog has accepted every connection; the statuses that the first had on its way.
async fn accepted(client: &Client, connections: usize) -> Outcome<Vec<Value>> {
    let (first, mut statuses) = (workspace(0), Vec::new());
    until_every(client, connections, |connection| {
        if connection.namespace().as_ref() == Some(&first)
            && let Some(status) = &connection.status
        {
            statuses.push(status.clone());
        }
        holds(connection, crd::CREDENTIALS_VALID)
    })
    .await?;
    statuses.dedup();
    let statuses = statuses.iter().map(serde_json::to_value);
    Ok(statuses.collect::<Result<_, _>>()?)
}

/// Every connection has a Job and its Secret.
async fn assert_jobs(cluster: &Cluster, connections: usize) -> Outcome<()> {
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=ordinary-posthog");
    let jobs: Api<Job> = Api::namespaced(cluster.client.clone(), OWN);
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), OWN);
    let jobs = jobs.list_metadata(&ours).await?.items.len();
    let secrets = secrets.list_metadata(&ours).await?.items.len();
    if (jobs, secrets) == (connections, connections) {
        return Ok(());
    }
    Err(format!("there are {jobs} Jobs and {secrets} Secrets for {connections} connections").into())
}
