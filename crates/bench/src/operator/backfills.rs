//! The backfills of all connections end: what that costs in status writes.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use store::OpenOptions;
use test_kubernetes::{Kubelet, Started};

use super::cluster::{Cluster, OPERATOR, OWN};
use super::connections::{NAME, api, holds, until_every};
use super::synced;
use super::tally::Tally;
use crate::Outcome;
use crate::figures::line;

/// Plays a node on which every Job's pod records a complete backfill, and waits until each connection's
/// status tells of it.
pub(super) async fn complete(cluster: &Cluster, database: &str, connections: usize) -> Outcome<()> {
    let store = store::open(database, OpenOptions::default()).await?;
    let client = cluster.client.clone();
    let _kubelet = Kubelet::start(&cluster.client, OWN, move |started| {
        let (store, client) = (Arc::clone(&store), client.clone());
        async move {
            let recorded = async {
                let number = number(&started)?;
                let connection = api(&client, number).get(NAME).await?;
                synced::record(&*store, &connection, number, Timestamp::now()).await
            };
            i32::from(recorded.await.is_err())
        }
    });
    until_every(&cluster.client, connections, |connection| {
        holds(connection, crd::SYNCED) && holds(connection, crd::BACKFILL_COMPLETE)
    })
    .await?;
    let writes = Tally::settled(cluster, OPERATOR).await?;
    line(
        "status writes until the backfill is complete, at most",
        &writes.most_status_writes().to_string(),
    );
    Ok(())
}

/// Which connection a pod works for.
fn number(started: &Started) -> Outcome<usize> {
    let label = "posthog.ordinary.dev/connection-namespace";
    let namespace = started.pod.labels().get(label).ok_or("no label")?;
    let (_, number) = namespace.split_once('-').ok_or("another namespace")?;
    Ok(number.parse()?)
}
