//! `PostHogConnection` documents, checked by the schema that a cluster has and the validation
//! that the operator runs.

use crd::{ApiKeySecretRef, PostHogConnection, ValidConnection};
use domain::ConnectionName;
use serde_json::{Value as Json, json};

use crate::document::{Document, metadata, namespace_of};
use crate::problem::Report;
use crate::suggestion::nearest;
use crate::{schema, shape};

/// A connection as written and, where nothing is wrong with it, as read.
pub(crate) struct Connection {
    /// Its namespace and name; the name is empty where none is written.
    pub(crate) name: ConnectionName,
    pub(crate) valid: Option<ValidConnection>,
    /// Where its key is; absent where that is wrong or not written.
    pub(crate) reference: Option<ApiKeySecretRef>,
    pub(crate) key_file: Option<String>,
    pub(crate) key_variable: Option<String>,
    pub(crate) refresh_requested: Option<String>,
    pub(crate) document: Document,
}

/// Reads a connection; nothing when it has no spec.
pub(crate) fn read(document: Document, report: &mut Report) -> Option<Connection> {
    let before = report.problems.len();
    let object = shape::check(&document, &schema::CONNECTION, report)?;
    if !object["spec"].is_object() {
        return None;
    }
    warn_of_unknown_annotations(&document, &object, report);
    let written = typed(&document, &object, report)?;
    let mut refused = Vec::new();
    let valid = crd::validate(&written, namespace_of(&object))
        .map_err(|problems| refused = problems)
        .ok();
    let findable = object["spec"]["apiKeySecretRef"].is_object()
        && !refused.iter().any(|problem| {
            problem.path == "metadata.namespace" || problem.path.starts_with("spec.apiKeySecretRef")
        });
    for problem in refused {
        report.refuse(document.problem_at(&problem.path, problem.message));
    }
    let sound = report.problems.len() == before;
    let notes = valid.iter().flat_map(|valid| &valid.notes);
    report
        .warnings
        .extend(notes.map(|note| document.problem_at(&note.path, note.message.as_str())));
    let annotation = |name: &str| {
        object["metadata"]["annotations"][name]
            .as_str()
            .map(str::to_owned)
    };
    Some(Connection {
        name: ConnectionName::new(
            namespace_of(&object),
            metadata(&object, "name").unwrap_or_default(),
        ),
        valid: valid.filter(|_| sound),
        reference: findable.then_some(written.spec.api_key_secret_ref),
        key_file: annotation(crd::API_KEY_FILE_ANNOTATION),
        key_variable: annotation(crd::API_KEY_ENV_ANNOTATION),
        refresh_requested: annotation(crd::REFRESH_REQUESTED_ANNOTATION),
        document,
    })
}

fn typed(document: &Document, object: &Json, report: &mut Report) -> Option<PostHogConnection> {
    let whole = json!({
        "apiVersion": crd::API_VERSION,
        "kind": crd::KIND,
        "metadata": {"name": object["metadata"]["name"]},
        "spec": complete(object["spec"].clone()),
    });
    match serde_json::from_value(whole) {
        Ok(connection) => Some(connection),
        Err(error) => {
            let said = error.to_string();
            report.refuse(
                document.problem_at("spec", format!("cannot be read: {}", crd::quoted(&said))),
            );
            None
        }
    }
}

/// A required field that is missing or refused is told already; with something harmless in its
/// place the other fields can be validated too.
fn complete(mut spec: Json) -> Json {
    for (field, harmless) in [
        ("host", json!("https://us.posthog.com")),
        ("projectId", json!(1)),
        ("apiKeySecretRef", json!({"name": "posthog"})),
    ] {
        if spec[field].is_null() {
            spec[field] = harmless;
        }
    }
    spec
}

fn warn_of_unknown_annotations(document: &Document, object: &Json, report: &mut Report) {
    let known = [
        crd::API_KEY_FILE_ANNOTATION,
        crd::API_KEY_ENV_ANNOTATION,
        crd::REFRESH_REQUESTED_ANNOTATION,
    ];
    let Json::Object(annotations) = &object["metadata"]["annotations"] else {
        return;
    };
    for name in annotations.keys() {
        if name.starts_with("posthog.ordinary.dev/") && !known.contains(&name.as_str()) {
            let hint = nearest(name, known).map_or_else(
                || "remove it".to_owned(),
                |word| format!("did you mean {word}?"),
            );
            report.warnings.push(document.problem_at(
                "metadata.annotations",
                format!("{} means nothing here: {hint}", crd::quoted(name)),
            ));
        }
    }
}
