//! What status tells of persons.

use posthog_stub::{Endpoint, Fault};
use serde_json::json;

use crate::harness::Corner;

#[tokio::test]
async fn status_tells_that_all_persons_could_not_be_read_until_they_are() {
    let corner = Corner::open().await;
    let whole = Endpoint::Named("ordinary_posthog_person_mappings");
    corner.stub.faults().always(whole, Fault::Internal);
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.connect("storefront").await;
    let connection = corner.synced("storefront").await;
    let persons = connection.status.unwrap().persons.unwrap();
    assert_eq!(persons.last_read_time, None);
    let problem = persons.problem.unwrap();
    assert!(problem.contains("never read whole"), "{problem}");

    corner.stub.faults().clear();
    let annotations = json!({(crd::REFRESH_REQUESTED_ANNOTATION): "again"});
    let request = json!({"metadata": {"annotations": annotations}});
    corner.patch("storefront", request).await;
    corner
        .wait("storefront", |connection| {
            let persons = connection.status.as_ref().unwrap().persons.as_ref();
            persons.is_some_and(|it| it.problem.is_none() && it.last_read_time.is_some())
        })
        .await;
    operator.stop().await;
}
