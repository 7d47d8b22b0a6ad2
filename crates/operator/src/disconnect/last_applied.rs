//! What `kubectl apply` keeps of a Secret in an annotation: its whole manifest, with the key in clear or in
//! base64.

use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

use super::loose::SecretEntry;

/// The annotation.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The annotation's value without the entry; nothing when the entry is not in it. The rest stays, for
/// `kubectl apply` decides by it what a later manifest has dropped.
pub(super) fn without(secret: &Secret, entry: &SecretEntry) -> Option<String> {
    let annotations = secret.metadata.annotations.as_ref()?;
    let mut manifest: Value = serde_json::from_str(annotations.get(LAST_APPLIED)?).ok()?;
    let mut is_found = false;
    for field in ["data", "stringData"] {
        let entries = manifest.get_mut(field).and_then(Value::as_object_mut);
        is_found |= entries.is_some_and(|entries| entries.remove(&entry.key).is_some());
    }
    is_found.then(|| manifest.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn without_key(manifest: &str) -> Option<String> {
        let annotations = json!({LAST_APPLIED: manifest});
        let metadata = json!({"name": "posthog", "annotations": annotations});
        let secret: Secret = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        let entry = SecretEntry {
            secret: "posthog".to_owned(),
            key: "apiKey".to_owned(),
        };
        without(&secret, &entry)
    }

    #[test]
    fn the_entry_goes_in_clear_and_in_base64_and_the_rest_stays() {
        let manifest = r#"{"data":{"apiKey":"cGh4X2E=","other":"Yg=="},"kind":"Secret","stringData":{"apiKey":"phx_a"}}"#;
        assert_eq!(
            without_key(manifest).as_deref(),
            Some(r#"{"data":{"other":"Yg=="},"kind":"Secret","stringData":{}}"#)
        );
    }

    #[test]
    fn a_manifest_without_the_entry_is_left_as_it_is() {
        for manifest in [
            r#"{"data":{"other":"Yg=="}}"#,
            r#"{"data":null}"#,
            "{}",
            "no manifest",
        ] {
            assert_eq!(without_key(manifest), None, "{manifest}");
        }
    }
}
