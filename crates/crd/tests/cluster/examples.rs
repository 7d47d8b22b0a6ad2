//! What the repository shows people is what an API server takes.

use crate::connections::tenant;

#[tokio::test]
async fn the_examples_are_taken_as_they_stand() {
    let tenant = tenant().await;
    for example in ["connection.yaml", "connection-full.yaml"] {
        let path = format!("{}/../../examples/{example}", env!("CARGO_MANIFEST_DIR"));
        let documents = std::fs::read_to_string(&path).unwrap();
        // The full one brings a namespace of its own; here it is the test's, which must not be shared.
        let documents = documents
            .replace("name: acme", &format!("name: {}", tenant.namespace))
            .replace(
                "namespace: acme",
                &format!("namespace: {}", tenant.namespace),
            );
        tenant.kubectl(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            &documents,
        );
        let stored = tenant.kubectl(
            &[
                "get",
                "phc",
                "storefront",
                "-o",
                "jsonpath={.spec.projectId}",
            ],
            "",
        );
        assert_eq!(stored, "4242", "{example}");
    }
}
