//! Many connections: the cap on Jobs, and that those with nothing due are left alone.

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use crd::{BACKFILL_COMPLETE, ConditionStatus, PostHogConnection, READY, SYNCED, reasons};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use operator::labels;
use posthog_stub::{Event, Project};
use serde_json::json;

use crate::harness::{Corner, Observed, PATIENCE, condition};

/// Projects of their own: each has a budget of queries.
fn add_projects(corner: &Corner, count: u64) {
    corner.stub.edit(|world| {
        for project in 1..=count {
            let mut project = Project::new(project, "Storefront");
            project.insert(Event::new("$pageview", "visitor", Timestamp::now()));
            world.add_project(project);
        }
    });
}

fn is(connection: &PostHogConnection, kind: &str, reason: &str) -> bool {
    condition(connection, kind).is_some_and(|condition| condition.reason == reason)
}

/// Waits until `wanted` holds of every connection of the corner.
async fn every(
    corner: &Corner,
    wanted: impl Fn(&PostHogConnection) -> bool,
) -> Vec<PostHogConnection> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(300);
    loop {
        let connections = corner.connections();
        let all = connections.list(&ListParams::default()).await;
        let all = all.unwrap().items;
        let missing: Vec<_> = all.iter().filter(|one| !wanted(one)).collect();
        if missing.is_empty() {
            return all;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} never came so far, such as {:?}",
            missing.len(),
            missing[0].status
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn is_over(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|c| ["Complete", "Failed"].contains(&c.type_.as_str()) && c.status == "True")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_wait_behind_twenty_and_who_is_due_first_goes_first() {
    const PLACES: usize = 20;
    const CONNECTIONS: usize = 220;
    let mut corner = Corner::open().await;
    corner.config.max_concurrent_syncs = PLACES;
    add_projects(&corner, CONNECTIONS as u64);
    for number in 0..CONNECTIONS {
        // Names in another order than that in which they are due.
        let name = format!("c{:03}", number * 37 % CONNECTIONS);
        let spec = corner.spec(json!({"projectId": number + 1}));
        corner.apply(&name, spec).await;
    }
    let operator = corner.operate();
    let all = every(&corner, |one| is(one, READY, reasons::AS_DESIRED)).await;
    let waiting = |one: &&PostHogConnection| is(one, BACKFILL_COMPLETE, reasons::BACKFILL_WAITING);
    assert_eq!(all.iter().filter(waiting).count(), CONNECTIONS - PLACES);

    // Every change of every Job, in the order in which the API server made them.
    let jobs = watcher(corner.jobs(), Config::default());
    let mut jobs = pin!(jobs.default_backoff().applied_objects());
    let kubelet = corner.kubelet();
    let (mut active, mut over, mut begun) = (HashSet::new(), HashSet::new(), Vec::new());
    while over.len() < CONNECTIONS {
        let job = tokio::time::timeout(PATIENCE, jobs.try_next());
        let job = job.await.expect("no Job begins or ends any more").unwrap();
        let job = job.unwrap();
        let name = job.name_any();
        // The first may come to their next tick meanwhile.
        let is_first = job.labels()[labels::KIND] == "backfill";
        if is_over(&job) {
            active.remove(&name);
            if is_first {
                over.insert(name);
            }
        } else if active.insert(name) && is_first {
            begun.push(job.annotations()[labels::CONNECTION].clone());
        }
        assert!(active.len() <= PLACES, "{} at once", active.len());
    }
    assert_eq!(begun.len(), CONNECTIONS, "each has had one");

    let created: BTreeMap<String, _> = all
        .iter()
        .map(|one| {
            let at = one.metadata.creation_timestamp.clone().unwrap().0;
            (format!("{}/{}", corner.tenant, one.name_any()), at)
        })
        .collect();
    let mut in_order: Vec<_> = created.values().copied().collect();
    in_order.sort_unstable();
    for (at, name) in begun.iter().enumerate() {
        // Those who get a place at the same time make their Jobs in any order.
        let latest = in_order[(at + PLACES - 1).min(CONNECTIONS - 1)];
        assert!(created[name] <= latest, "{name} went as number {at}");
    }
    operator.stop().await;
    drop(kubelet);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_connections_cause_no_write_between_their_ticks_nor_after_a_restart() {
    const CONNECTIONS: u64 = 50;
    let corner = Corner::open().await;
    add_projects(&corner, CONNECTIONS);
    for project in 1..=CONNECTIONS {
        let of = json!({"projectId": project});
        corner
            .connect_between_ticks(&format!("c{project}"), of)
            .await;
    }
    let kubelet = corner.kubelet();
    let first = corner.observe();
    every(&corner, |one| is(one, SYNCED, reasons::UP_TO_DATE)).await;
    let settled = |jobs: &[Job]| {
        jobs.iter().all(|job| {
            job.spec
                .as_ref()
                .unwrap()
                .ttl_seconds_after_finished
                .is_some()
        })
    };
    corner.wait_jobs(settled).await;
    left_alone(&first).await;
    first.operator.stop().await;

    let second = corner.observe();
    while second.operator.reconciliations() < CONNECTIONS as f64 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    left_alone(&second).await;
    assert_eq!(second.writes(), [""; 0]);
    for connection in every(&corner, |one| is(one, READY, reasons::AS_DESIRED)).await {
        let synced = condition(&connection, SYNCED).unwrap();
        assert_eq!(synced.status, ConditionStatus::True);
    }
    second.operator.stop().await;
    drop(kubelet);
}

/// Sees that an operator writes nothing for as long as it takes a thing overlooked to be tried again.
async fn left_alone(observed: &Observed) {
    let before = observed.writes().len();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let since = observed.writes().split_off(before);
    assert_eq!(since, [""; 0]);
}
