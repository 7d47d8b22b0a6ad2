//! What status tells of cohorts.

use posthog_stub::Cohort;
use uuid::Uuid;

use crate::harness::{Corner, PROJECT};

#[tokio::test]
async fn status_names_a_cohort_that_posthog_cannot_compute() {
    let corner = Corner::open().await;
    corner.stub.edit(|world| {
        let project = world.project_mut(PROJECT).unwrap();
        project.add_cohort(Cohort::new(1, "Buyers").people([Uuid::from_u128(1)]));
        let mut broken = Cohort::new(2, "Broken");
        broken.errors_calculating = 4;
        project.add_cohort(broken);
    });
    let _kubelet = corner.kubelet();
    let operator = corner.operate();
    corner.connect("storefront").await;
    let connection = corner.synced("storefront").await;
    let cohorts = connection.status.unwrap().cohorts.unwrap();
    assert_eq!((cohorts.listed, cohorts.failing, cohorts.behind), (2, 1, 0));
    let problem = cohorts.problem.unwrap();
    assert!(
        problem.contains("cohort 2 \"Broken\" (4 times"),
        "{problem}"
    );
    operator.stop().await;
}
