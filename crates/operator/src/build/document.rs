//! The documents that a Job reads: the same YAML that `sync -f` takes on any machine, with the key in a
//! file beside it.

use crd::{API_KEY_FILE_ANNOTATION, API_VERSION, KIND, PostHogConnection};
use domain::plan::{PLAN_LABEL, PlanStanding};
use serde_json::{Value, json};

use crate::error::Error;
use crate::identity::Identity;

/// The file with the documents.
pub(crate) const DOCUMENT_FILE: &str = "connection.yaml";
/// The file with the API key.
pub(crate) const KEY_FILE: &str = "api-key";

/// The connection and its namespace.
pub(crate) fn document(
    identity: &Identity,
    connection: &PostHogConnection,
    plan: &PlanStanding,
) -> Result<String, Error> {
    let name = &identity.name;
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name.namespace, "labels": {PLAN_LABEL: label(plan)}},
    });
    let connection = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name.name,
            "namespace": name.namespace,
            "annotations": {API_KEY_FILE_ANNOTATION: KEY_FILE},
        },
        "spec": connection.spec,
    });
    Ok(format!("{}---\n{}", yaml(&namespace)?, yaml(&connection)?))
}

fn label(plan: &PlanStanding) -> String {
    match plan {
        PlanStanding::Eligible { plan } | PlanStanding::TooLow { plan } => plan.to_string(),
        PlanStanding::Unknown { label } => label.clone().unwrap_or_default(),
    }
}

fn yaml(document: &Value) -> Result<String, Error> {
    serde_saphyr::to_string(document).map_err(|error| Error::Unwritable {
        what: "Job's document",
        reason: error.to_string(),
    })
}
