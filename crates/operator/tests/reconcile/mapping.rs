//! What a changed mapping brings about.

use crd::{ConditionStatus, READY};
use serde_json::json;

use crate::harness::{Corner, condition};

#[tokio::test]
async fn a_changed_mapping_is_in_force_at_once_without_pulling_again() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.synced("storefront").await;
    corner.stub.clear_requests();
    let mapping = json!({
        "productViewed": {"events": [{"name": "$pageview"}]},
        "addedToCart": {"events": [{"name": "checkout started"}]},
        "checkoutStarted": {"events": [{"name": "product added to cart"}]},
    });
    corner
        .patch("storefront", json!({"spec": {"mapping": mapping}}))
        .await;
    let connection = corner
        .wait("storefront", |connection| {
            let generation = connection.metadata.generation;
            let stages = &connection.status.as_ref().unwrap().mapping;
            let cart = stages.iter().find(|stage| stage.stage == "addedToCart");
            condition(connection, READY).is_some_and(|ready| {
                ready.status == ConditionStatus::True && ready.observed_generation == generation
            }) && cart.is_some_and(|cart| cart.events[0].name == "checkout started")
        })
        .await;
    let stages = connection.status.unwrap().mapping;
    assert!(
        stages
            .iter()
            .all(|stage| stage.source == crd::StageSource::Override)
    );
    assert_eq!(corner.jobs_of("remap").await.len(), 1);
    assert_eq!(corner.jobs_of("refresh").await.len(), 0);
    // The new generation was checked and the names were asked for; no event was read again.
    let is_read = |name: &str| {
        ["count_cells", "_page"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    let requests = corner.stub.requests();
    let names: Vec<_> = requests.iter().filter_map(|r| r.name.as_deref()).collect();
    assert!(
        !names.is_empty() && !names.iter().any(|name| is_read(name)),
        "{names:?}"
    );
    operator.stop().await;
}
