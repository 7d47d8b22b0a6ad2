//! What a disconnect tells whoever looks at the connection's Events.

use domain::ConnectionName;
use kube::runtime::events::EventType;

use super::guard::{Obstacle, Removal};
use super::last_applied::LAST_APPLIED;
use super::loose::SecretEntry;
use crate::events::Event;

/// What the operator was doing, in its Events.
const ACTION: &str = "Disconnect";

/// What became of our key in the tenant's Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyOutcome {
    /// It was not there.
    Absent,
    /// It was taken out.
    Forgotten(SecretEntry, Removal),
    /// It stays, and why.
    Remains(SecretEntry, Obstacle),
}

/// The Event about it; none when nothing was done and nothing is left to do.
pub(crate) fn event(name: &ConnectionName, outcome: &KeyOutcome) -> Option<Event> {
    match outcome {
        KeyOutcome::Absent => None,
        KeyOutcome::Forgotten(entry, removal) => Some(Event {
            kind: EventType::Normal,
            reason: "KeyForgotten",
            action: ACTION,
            note: match removal {
                Removal::Entry => format!(
                    "Disconnected: the API key ({}) was removed from Secret {}.",
                    entry.key, entry.secret
                ),
                Removal::AppliedEntry => format!(
                    "Disconnected: the API key ({}) was removed from Secret {}, and from what `kubectl apply` keeps of it. Remove it from the manifest too, or applying that brings it back.",
                    entry.key, entry.secret
                ),
                Removal::Secret => format!(
                    "Disconnected: Secret {}, which held nothing but the API key, was deleted.",
                    entry.secret
                ),
            },
        }),
        KeyOutcome::Remains(entry, obstacle) => Some(Event {
            kind: EventType::Warning,
            reason: "KeyRemains",
            action: ACTION,
            note: format!(
                "Disconnected, and Ordinary no longer uses the API key. It is still in Secret {} ({}), because {obstacle}. {}",
                entry.secret,
                entry.key,
                fix(name, entry, obstacle)
            ),
        }),
    }
}

fn fix(name: &ConnectionName, entry: &SecretEntry, obstacle: &Obstacle) -> String {
    let SecretEntry { secret, key } = entry;
    match obstacle {
        Obstacle::Shared(other) => {
            format!("It goes when {other} is disconnected as well.")
        }
        Obstacle::Owned(_) => "Remove it where that gets it from.".to_owned(),
        Obstacle::Immutable => {
            format!("Create the Secret again without it: other entries would go with {secret}.")
        }
        Obstacle::Withheld | Obstacle::Refused(_) => format!(
            "Remove it by `kubectl -n {0} patch secret {secret} --type=json -p '[{{\"op\":\"remove\",\"path\":\"/data/{key}\"}}]'`, and the copy that `kubectl apply` keeps, if that made it, by `kubectl -n {0} annotate secret {secret} {LAST_APPLIED}-`.",
            name.namespace
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> SecretEntry {
        SecretEntry {
            secret: "posthog".to_owned(),
            key: "apiKey".to_owned(),
        }
    }

    fn note(outcome: &KeyOutcome) -> String {
        let name = ConnectionName::new("acme", "storefront");
        event(&name, outcome).map_or_else(String::new, |event| event.note)
    }

    #[test]
    fn an_event_says_what_remains_and_how_to_remove_it() {
        let withheld = note(&KeyOutcome::Remains(entry(), Obstacle::Withheld));
        assert_eq!(
            withheld,
            "Disconnected, and Ordinary no longer uses the API key. It is still in Secret posthog \
             (apiKey), because this operator was installed without the right to change Secrets. \
             Remove it by `kubectl -n acme patch secret posthog --type=json -p \
             '[{\"op\":\"remove\",\"path\":\"/data/apiKey\"}]'`, and the copy that `kubectl apply` \
             keeps, if that made it, by `kubectl -n acme annotate secret posthog \
             kubectl.kubernetes.io/last-applied-configuration-`."
        );
        let shared = Obstacle::Shared("outlet".to_owned());
        assert!(note(&KeyOutcome::Remains(entry(), shared)).ends_with(
            "because connection outlet uses it too. It goes when outlet is disconnected as well."
        ));
    }

    #[test]
    fn a_key_that_a_manifest_would_bring_back_is_told() {
        let removed = note(&KeyOutcome::Forgotten(entry(), Removal::AppliedEntry));
        assert_eq!(
            removed,
            "Disconnected: the API key (apiKey) was removed from Secret posthog, and from what \
             `kubectl apply` keeps of it. Remove it from the manifest too, or applying that brings \
             it back."
        );
    }

    #[test]
    fn nothing_to_tell_is_no_event() {
        assert_eq!(note(&KeyOutcome::Absent), "");
    }
}
