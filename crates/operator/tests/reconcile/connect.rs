//! From `kubectl apply` to a connection that is ready and filled.

use crd::{BackfillVia, CREDENTIALS_VALID, ConditionStatus, PLAN_ELIGIBLE, READY, SYNCED, reasons};
use kube::ResourceExt;
use operator::{FINALIZER, labels};

use crate::harness::{Corner, KEY, condition};

#[tokio::test]
async fn a_connection_becomes_ready_and_its_backfill_complete() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.ready("storefront").await;
    let _kubelet = corner.kubelet();
    let connection = corner.filled("storefront").await;

    for (kind, reason) in [
        (CREDENTIALS_VALID, reasons::KEY_ACCEPTED),
        (PLAN_ELIGIBLE, reasons::PLAN_SUFFICIENT),
        (SYNCED, reasons::UP_TO_DATE),
        (READY, reasons::AS_DESIRED),
    ] {
        let found = condition(&connection, kind).unwrap();
        assert_eq!(
            (found.status, found.reason.as_str()),
            (ConditionStatus::True, reason),
            "{found:?}"
        );
    }
    assert!(condition(&connection, crd::RECONCILING).is_none());
    assert!(condition(&connection, crd::STALLED).is_none());
    assert!(connection.finalizers().iter().any(|name| name == FINALIZER));

    let status = connection.status.unwrap();
    assert_eq!(status.project.unwrap().name, "Storefront");
    let key = status.key.unwrap();
    assert!(key.masked_value.unwrap().starts_with("phx_"));
    assert!(key.secret_resource_version.is_some());
    let stages: Vec<_> = status
        .mapping
        .iter()
        .map(|stage| (stage.stage.as_str(), stage.seen_last7_days))
        .collect();
    assert_eq!(
        stages,
        [
            ("productViewed", Some(3)),
            ("addedToCart", Some(3)),
            ("checkoutStarted", Some(3))
        ]
    );
    assert_eq!(status.last_sync.unwrap().events, 9);
    // The shop's other six are of 30 and 60 hours ago.
    assert_eq!(status.events_last_24h, Some(3));
    let backfill = status.backfill.unwrap();
    assert_eq!((backfill.percent, backfill.via), (100, BackfillVia::Query));
    assert!(backfill.via_reason.is_some_and(|why| !why.is_empty()));
    assert!(status.next_sync_time.unwrap() > jiff::Timestamp::now());

    assert!(corner.reads_what_is_asked_for("storefront").await);
    operator.stop().await;
}

#[tokio::test]
async fn a_job_shows_no_key_but_in_the_file_of_its_own_secret() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    let connection = corner.connect("storefront").await;
    let jobs = corner.wait_jobs(|jobs| !jobs.is_empty()).await;
    let job = &jobs[0];
    let uid = connection.uid().unwrap();
    assert_eq!(
        job.name_any(),
        format!("storefront-{}-backfill-g1", &uid[..8])
    );
    assert_eq!(job.labels()[labels::CONNECTION_UID], uid);
    assert_eq!(job.labels()[labels::CONNECTION_NAMESPACE], corner.tenant);

    corner.ready("storefront").await;
    let secret = corner
        .secrets(&corner.own)
        .get(&job.name_any())
        .await
        .unwrap();
    let owner = &secret.owner_references()[0];
    assert_eq!(
        (owner.kind.as_str(), owner.uid.as_str()),
        ("Job", job.uid().unwrap().as_str())
    );
    assert_eq!(secret.data.unwrap()["api-key"].0, KEY.as_bytes());

    let text = serde_json::to_string(job).unwrap();
    assert!(!text.contains(KEY));
    let pod = job.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert_eq!(
        pod.node_selector.as_ref().unwrap()["kubernetes.io/os"],
        "linux"
    );
    assert_eq!(
        pod.tolerations.as_ref().unwrap()[0].key.as_deref(),
        Some("batch")
    );
    let template = job
        .spec
        .as_ref()
        .unwrap()
        .template
        .metadata
        .as_ref()
        .unwrap();
    assert_eq!(template.labels.as_ref().unwrap()["team"], "data");
    operator.stop().await;
}
