//! Whether our key may be taken out of a tenant's Secret, and how.

use k8s_openapi::api::core::v1::Secret;
use kube::core::DynamicObject;

use super::last_applied;
use super::loose::{SecretEntry, secret_entry};
use super::owners::{Owner, owner};

/// How a key is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The entry goes; the rest of the Secret stays.
    Entry,
    /// The same of a Secret that `kubectl apply` has written: the copy of the entry that it keeps goes as well.
    AppliedEntry,
    /// Nothing else is in the Secret, so it goes whole.
    Secret,
}

/// Why our key stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Obstacle {
    /// Another connection reads the same entry.
    #[error("connection {0} uses it too")]
    Shared(String),
    /// Somebody else decides what is in the Secret.
    #[error("{0}")]
    Owned(Owner),
    /// The Secret says that it never changes, and holds more than the key.
    #[error("the Secret is immutable and holds other entries")]
    Immutable,
    /// The operator was installed without the right.
    #[error("this operator was installed without the right to change Secrets")]
    Withheld,
    /// The API server forbids or refuses the change.
    #[error("the API server refuses the change: {0}")]
    Refused(String),
}

/// Decides about `entry` of `secret`, which a connection that goes has named; `others` are the other
/// connections of the namespace. Nothing when the entry is not there.
///
/// # Errors
/// The [`Obstacle`] that keeps it.
pub(crate) fn decide(
    secret: &Secret,
    entry: &SecretEntry,
    others: &[DynamicObject],
) -> Result<Option<Removal>, Obstacle> {
    if !holds(secret, entry) {
        return Ok(None);
    }
    // Connections that go together do not keep it from each other.
    let user = others.iter().find(|other| {
        other.metadata.deletion_timestamp.is_none() && secret_entry(other).as_ref() == Some(entry)
    });
    if let Some(user) = user {
        let name = user.metadata.name.clone().unwrap_or_default();
        return Err(Obstacle::Shared(name));
    }
    if let Some(owner) = owner(&secret.metadata) {
        return Err(Obstacle::Owned(owner));
    }
    let is_alone = secret.data.iter().flatten().count() == 1;
    // What holds on to the whole Secret would hold on to the key in it.
    let is_held = secret.metadata.finalizers.iter().flatten().next().is_some();
    if is_alone && !is_held {
        return Ok(Some(Removal::Secret));
    }
    if secret.immutable == Some(true) {
        return Err(Obstacle::Immutable);
    }
    Ok(Some(of_entry(secret, entry)))
}

/// How the entry alone is taken out.
pub(crate) fn of_entry(secret: &Secret, entry: &SecretEntry) -> Removal {
    match last_applied::without(secret, entry) {
        Some(_) => Removal::AppliedEntry,
        None => Removal::Entry,
    }
}

/// Whether the entry is in the Secret.
pub(crate) fn holds(secret: &Secret, entry: &SecretEntry) -> bool {
    let data = secret.data.as_ref();
    data.is_some_and(|data| data.contains_key(&entry.key))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret(more: &Value) -> Secret {
        let mut secret = json!({
            "metadata": {"name": "posthog", "namespace": "acme"},
            "data": {"apiKey": "cGh4X2E="},
        });
        for (field, value) in more.as_object().unwrap() {
            secret[field] = value.clone();
        }
        serde_json::from_value(secret).unwrap()
    }

    fn entry() -> SecretEntry {
        SecretEntry {
            secret: "posthog".to_owned(),
            key: "apiKey".to_owned(),
        }
    }

    fn other(secret: &str, key: &str, is_going: bool) -> DynamicObject {
        let mut metadata = json!({"name": "other"});
        if is_going {
            metadata["deletionTimestamp"] = json!("2026-11-25T08:00:00Z");
        }
        let reference = json!({"name": secret, "key": key});
        let spec = json!({"apiKeySecretRef": reference});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    #[test]
    fn a_secret_with_nothing_else_in_it_goes_whole() {
        let decided = decide(&secret(&json!({})), &entry(), &[]);
        assert_eq!(decided, Ok(Some(Removal::Secret)));
    }

    #[test]
    fn other_entries_stay() {
        let two = secret(&json!({"data": {"apiKey": "YQ==", "shopify": "Yg=="}}));
        assert_eq!(decide(&two, &entry(), &[]), Ok(Some(Removal::Entry)));
    }

    #[test]
    fn a_key_that_is_gone_needs_nothing_whoever_owns_the_secret() {
        let metadata = json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}});
        for gone in [
            json!({"data": null}),
            json!({"data": {"b": "YQ=="}, "metadata": metadata}),
        ] {
            assert_eq!(decide(&secret(&gone), &entry(), &[]), Ok(None));
        }
    }

    #[test]
    fn a_key_that_another_connection_uses_stays() {
        let others = [
            other("else", "apiKey", false),
            other("posthog", "apiKey", false),
        ];
        let shared = Err(Obstacle::Shared("other".to_owned()));
        assert_eq!(decide(&secret(&json!({})), &entry(), &others), shared);
    }

    #[test]
    fn users_of_other_entries_and_those_that_go_as_well_keep_nothing() {
        let others = [
            other("posthog", "second", false),
            other("else", "apiKey", false),
            other("posthog", "apiKey", true),
        ];
        let two = secret(&json!({"data": {"apiKey": "YQ==", "second": "Yg=="}}));
        assert_eq!(decide(&two, &entry(), &others), Ok(Some(Removal::Entry)));
    }

    #[test]
    fn a_secret_that_something_owns_stays() {
        let owner = json!({"apiVersion": "v1", "kind": "ExternalSecret", "name": "e", "uid": "u"});
        let owned = secret(&json!({"metadata": {"ownerReferences": [owner]}}));
        let decided = decide(&owned, &entry(), &[]);
        assert!(matches!(decided, Err(Obstacle::Owned(_))), "{decided:?}");
    }

    #[test]
    fn an_immutable_secret_goes_whole_or_not_at_all() {
        let alone = secret(&json!({"immutable": true}));
        assert_eq!(decide(&alone, &entry(), &[]), Ok(Some(Removal::Secret)));
        let data = json!({"apiKey": "YQ==", "shopify": "Yg=="});
        let more = secret(&json!({"immutable": true, "data": data}));
        assert_eq!(decide(&more, &entry(), &[]), Err(Obstacle::Immutable));
    }

    #[test]
    fn a_secret_that_something_holds_on_to_loses_the_key_at_once() {
        let held = secret(&json!({"metadata": {"finalizers": ["example.com/hold"]}}));
        assert_eq!(decide(&held, &entry(), &[]), Ok(Some(Removal::Entry)));
    }
}
