//! What a changed mapping brings about.

use crd::{ConditionStatus, READY};
use jiff::{SignedDuration, Timestamp};
use posthog_stub::Event;
use serde_json::json;

use crate::harness::{Corner, PROJECT, condition};

#[tokio::test]
async fn a_changed_mapping_is_in_force_at_once_without_pulling_again() {
    let corner = Corner::open().await;
    let _kubelet = corner.kubelet();
    corner.connect_between_ticks("storefront", json!({})).await;
    let operator = corner.operate();
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

#[tokio::test]
async fn a_stage_whose_event_is_no_longer_sent_is_flagged_with_the_one_that_is() {
    let corner = Corner::open().await;
    corner.stub.edit(|world| {
        let project = world.project_mut(PROJECT).unwrap();
        for turn in 1..=10 {
            let at = Timestamp::now() - SignedDuration::from_mins(60 + 10 * turn);
            let began = at - SignedDuration::from_mins(5);
            project.insert(Event::new("checkout started", "keen", began));
            project.insert(Event::new("product added to cart", "keen", at));
        }
    });
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.synced("storefront").await;
    let mapping = json!({"addedToCart": {"events": [{"name": "basket"}]}});
    corner
        .patch("storefront", json!({"spec": {"mapping": mapping}}))
        .await;
    let connection = corner
        .wait("storefront", |connection| {
            let status = connection.status.as_ref();
            let mut stages = status.into_iter().flat_map(|status| &status.mapping);
            stages.any(|stage| stage.flags == ["MaybeRenamed"])
        })
        .await;
    let stages = connection.status.unwrap().mapping;
    let cart = stages.iter().find(|it| it.stage == "addedToCart").unwrap();
    let name = "product added to cart";
    assert_eq!(cart.flags, ["MaybeRenamed"]);
    assert_eq!(cart.maybe_renamed_to.as_deref(), Some(name));
    assert_eq!(cart.suggestions, [name]);
    assert_eq!(cart.evidence[0].name, name);
    let evidence = &cart.evidence[0];
    assert_eq!((evidence.events, evidence.judged), (13, 10));
    // But for the last, a checkout follows each within the day.
    assert_eq!(evidence.in_order, 9);
    assert!(
        cart.evidence[0]
            .reason
            .contains("mapping.addedToCart does not name it")
    );
    assert_eq!(
        cart.events[0].name, "basket",
        "nothing is mapped by a suggestion"
    );
    operator.stop().await;
}

#[tokio::test]
async fn pageviews_of_product_pages_are_told_of_where_another_name_fed_product_viewed() {
    let corner = Corner::open().await;
    corner.stub.edit(|world| {
        let project = world.project_mut(PROJECT).unwrap();
        for turn in 1..=10 {
            let at = Timestamp::now() - SignedDuration::from_mins(60 + 10 * turn);
            for page in ["", "fr/products/red-shirt"] {
                let address = format!("https://shop.example/{page}");
                let view = Event::new("$pageview", "keen", at);
                project.insert(view.property("$current_url", address));
            }
        }
    });
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    let mapping = json!({"productViewed": {"events": [{"name": "Product Viewed"}]}});
    let spec = json!({"mapping": mapping});
    corner.connect_between_ticks("storefront", spec).await;
    let connection = corner
        .wait("storefront", |connection| {
            let status = connection.status.as_ref();
            status.is_some_and(|status| !status.mapping.is_empty())
        })
        .await;
    let stages = connection.status.unwrap().mapping;
    let stage = &stages[0];
    assert_eq!(stage.stage, "productViewed");
    assert_eq!(stage.seen_last7_days, Some(0));
    assert_eq!(stage.flags, ["MaybeRenamed"]);
    assert_eq!(stage.maybe_renamed_to.as_deref(), Some("$pageview"));
    assert_eq!(stage.suggestions, ["$pageview"]);
    // The shop's own 3 and the visitor's 10; those of the home page are no product views.
    assert_eq!(stage.evidence[0].events, 13);
    assert_eq!(
        stage.evidence[0].reason,
        "it was seen on /products/* in the last 30 days"
    );
    operator.stop().await;
}
