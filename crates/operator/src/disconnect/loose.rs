//! A connection read loosely: only what its end needs, so that one of an older definition, which
//! cannot be read whole, can go as well.

use crd::PostHogConnection;
use domain::storage::Deletion;
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

/// What its spec says about rows at last, if that can be read.
pub(crate) fn deletion(connection: &DynamicObject, namespace: &str) -> Option<Deletion> {
    // Rows are not lost because something else is wrong.
    let policy = connection.data.pointer("/spec/deletionPolicy");
    if policy.and_then(Value::as_str) == Some("Retain") {
        return Some(Deletion::Retain);
    }
    let whole: PostHogConnection = connection.clone().try_parse().ok()?;
    let valid = crd::validate(&whole, namespace).ok()?;
    Some(valid.deletion.into())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
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
    fn rows_that_are_to_stay_stay_whatever_else_is_wrong() {
        let spec = json!({"projectId": "many", "deletionPolicy": "Retain"});
        assert_eq!(deletion(&connection(&spec), "acme"), Some(Deletion::Retain));
        let spec = json!({"projectId": "many", "deletionPolicy": "Delete"});
        assert_eq!(deletion(&connection(&spec), "acme"), None);
    }

    #[test]
    fn the_grace_period_is_the_one_written() {
        let spec = json!({
            "host": "https://eu.posthog.com",
            "projectId": 4242,
            "apiKeySecretRef": {"name": "posthog"},
            "deletionGracePeriod": "90m",
        });
        let grace = SignedDuration::from_mins(90);
        let said = deletion(&connection(&spec), "acme");
        assert_eq!(said, Some(Deletion::Delete { grace }));
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
