//! Two replicas of the operator: one works, the other takes over.

use std::time::Duration;

use kube::ResourceExt;
use operator::{LeaseTiming, OperatorConfig};

use crate::harness::{Corner, Running, eventually};

fn replica(corner: &Corner, number: u8) -> Running {
    let mut config = OperatorConfig {
        identity: format!("operator-{number}"),
        ..corner.config.clone()
    };
    config.intervals.lease = LeaseTiming {
        duration: Duration::from_secs(2),
        renew_deadline: Duration::from_millis(1500),
        retry: Duration::from_millis(200),
    };
    corner.operate_by(config)
}

async fn leads(replica: &Running) {
    eventually("the replica leads", async || replica.leads().then_some(())).await;
}

#[tokio::test]
async fn a_replica_that_takes_over_ends_what_the_other_began_and_doubles_nothing() {
    let corner = Corner::open().await;
    let names = ["a", "b", "c"];
    let first = replica(&corner, 0);
    leads(&first).await;
    let second = replica(&corner, 1);
    for name in names {
        corner.connect(name).await;
    }
    // In the middle of its work: some have their Jobs, and some do not.
    corner.wait_jobs(|jobs| !jobs.is_empty()).await;
    first.kill().await;
    assert!(!second.leads());

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
