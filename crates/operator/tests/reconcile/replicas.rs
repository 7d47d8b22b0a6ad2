//! Two replicas of the operator: one works, the other takes over.

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use operator::{LEASE, OperatorConfig};
use serde_json::json;

use crate::harness::{Corner, Running, eventually};

fn replica(corner: &Corner, number: u8) -> Running {
    corner.operate_by(OperatorConfig {
        identity: format!("operator-{number}"),
        ..corner.config.clone()
    })
}

/// Has the Lease of a leader that is dead end a second after its successor sees this: by itself it lasts so
/// long that no busy machine costs leadership.
async fn let_the_lease_end(corner: &Corner) {
    let leases: Api<Lease> = Api::namespaced(corner.client.clone(), &corner.own);
    let soon = Patch::Merge(json!({"spec": {"leaseDurationSeconds": 1}}));
    leases
        .patch(LEASE, &PatchParams::default(), &soon)
        .await
        .unwrap();
}

async fn leads(replica: &Running) {
    eventually("the replica leads", async || replica.leads().then_some(())).await;
}

#[tokio::test]
async fn a_replica_that_takes_over_ends_what_the_other_began_and_doubles_nothing() {
    let corner = Corner::open().await;
    let names = ["a", "b", "c"];
    for name in names {
        corner.connect_between_ticks(name, json!({})).await;
    }
    let first = replica(&corner, 0);
    leads(&first).await;
    let second = replica(&corner, 1);
    // In the middle of its work: some have their Jobs, and some do not.
    corner.wait_jobs(|jobs| !jobs.is_empty()).await;
    first.kill().await;
    assert!(!second.leads());
    let_the_lease_end(&corner).await;

    let _kubelet = corner.kubelet();
    leads(&second).await;
    for name in names {
        corner.synced(name).await;
    }
    let jobs = corner.all_jobs().await;
    let names_of: Vec<_> = jobs.iter().map(ResourceExt::name_any).collect();
    assert_eq!(jobs.len(), names.len(), "{names_of:?}");

    // The first comes back, and stands by.
    let third = replica(&corner, 0);
    corner.ask("a", "one more").await;
    corner
        .wait("a", |connection| {
            let status = connection.status.as_ref().unwrap();
            status.last_handled_refresh_request.as_deref() == Some("one more")
        })
        .await;
    assert!(second.leads() && !third.leads());
    assert_eq!(corner.jobs_of("refresh").await.len(), 1);
    third.stop().await;
    second.stop().await;
}
