//! A workspace that goes.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;

use crate::harness::{Corner, eventually};

#[tokio::test]
async fn a_namespace_that_goes_takes_its_connection_along() {
    let corner = Corner::open().await;
    let operator = corner.operate();
    corner.connect("storefront").await;
    corner.ready("storefront").await;
    let namespaces: Api<Namespace> = Api::all(corner.client.clone());
    namespaces
        .delete(&corner.tenant, &DeleteParams::default())
        .await
        .unwrap();
    eventually("the namespace is gone", async || {
        let found = namespaces.get_opt(&corner.tenant).await.unwrap();
        found.is_none().then_some(())
    })
    .await;
    corner.wait_jobs(<[_]>::is_empty).await;
    operator.stop().await;
}
