//! What is said when there is no key where a connection says that it is.

use crate::key::{API_KEY_VARIABLE, Secrets};
use crate::secret::Secret;
use crate::suggestion::nearest;

/// That the Secret is not among the files, and where it probably is.
pub(crate) fn no_secret(namespace: &str, name: &str, secrets: &Secrets) -> String {
    let fix = format!(
        "add it, name a file or variable with the annotations {} or {}, or set {API_KEY_VARIABLE}",
        crd::API_KEY_FILE_ANNOTATION,
        crd::API_KEY_ENV_ANNOTATION
    );
    let siblings = || {
        secrets
            .keys()
            .filter(|(other, _)| other == namespace)
            .map(|(_, name)| name.as_str())
    };
    if let Some((other, _)) = secrets.keys().find(|(_, other)| other == name) {
        format!(
            "Secret {namespace}/{name} is not among the files, only {other}/{name}: a Secret must be in the connection's namespace, move it to {namespace}"
        )
    } else if let Some(sibling) = nearest(name, siblings()) {
        format!("Secret {namespace}/{name} is not among the files: did you mean {sibling}?")
    } else {
        format!("Secret {namespace}/{name} is not among the files: {fix}")
    }
}

/// That the Secret has no such entry, and which it has.
pub(crate) fn no_entry(secret: &Secret, key: &str) -> String {
    let keys: Vec<&str> = secret.entries.keys().map(String::as_str).collect();
    let shown: Vec<String> = keys.iter().map(|key| crd::quoted(key)).collect();
    match (nearest(key, keys.iter().copied()), keys.is_empty()) {
        (Some(near), _) => format!("{secret} has no key {key}: did you mean {near}?"),
        (None, true) => format!("{secret} has no key {key}, it is empty: add it under stringData"),
        (None, false) => format!(
            "{secret} has no key {key}, only {}: add it, or name one of these",
            shown.join(", ")
        ),
    }
}
