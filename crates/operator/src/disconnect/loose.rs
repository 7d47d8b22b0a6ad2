//! A connection read loosely: only what its end needs, so that one of an older definition, which
//! cannot be read whole, can go as well.

use crd::PostHogConnection;
use kube::Api;
use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;

/// An entry of a Secret in the connection's own namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretEntry {
    /// The Secret's name.
    pub(crate) secret: String,
    /// The entry's name.
    pub(crate) key: String,
}

/// Connections of a namespace, whatever definition they follow.
pub(crate) fn connections(client: kube::Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client, namespace, &resource())
}

/// The kind, as a loosely read object must be told it.
pub(crate) fn resource() -> ApiResource {
    ApiResource::erase::<PostHogConnection>(&())
}

/// Where the connection's key is, if that can be read.
pub(crate) fn secret_entry(connection: &DynamicObject) -> Option<SecretEntry> {
    let reference = connection.data.pointer("/spec/apiKeySecretRef")?;
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    Some(SecretEntry {
        secret: text("name")?.to_owned(),
        key: text("key").unwrap_or(crd::DEFAULT_SECRET_KEY).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connection(spec: &Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "storefront"}, "spec": spec})).unwrap()
    }

    #[test]
    fn the_entry_is_found_in_a_spec_that_is_otherwise_unreadable() {
        let spec = json!({"projectId": "many", "apiKeySecretRef": {"name": "posthog", "key": "k"}});
        let entry = secret_entry(&connection(&spec)).unwrap();
        assert_eq!((&*entry.secret, &*entry.key), ("posthog", "k"));
    }

    #[test]
    fn an_entry_without_a_key_is_the_default_one() {
        let entry = secret_entry(&connection(
            &json!({"apiKeySecretRef": {"name": "posthog"}}),
        ));
        assert_eq!(entry.unwrap().key, "apiKey");
    }

    #[test]
    fn what_names_no_secret_has_no_entry() {
        for spec in [
            json!(null),
            json!({}),
            json!({"apiKeySecretRef": {"key": "k"}}),
        ] {
            assert_eq!(secret_entry(&connection(&spec)), None);
        }
    }
}
