//! Event definitions.

use std::collections::BTreeMap;

use domain::mapping::{OrderEvidence, Suggestion, mapped_reason};
use domain::recogniser::is_order_like;
use domain::storage::EventDefinition;
use domain::{EventName, Mapping};

use super::stage::{mapped_stage, stage};
use super::time::timestamp;
use crate::proto::v1;
use crate::proto::v1::event_definition::Kind;

/// What is known of event names beside their definitions.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    /// Events of the last days, by name.
    pub(crate) recent: BTreeMap<EventName, u64>,
    /// What the names could feed.
    pub(crate) suggestions: BTreeMap<EventName, Suggestion>,
    /// What stored events say for some of these.
    pub(crate) evidence: BTreeMap<EventName, OrderEvidence>,
}

/// A definition, with the stage that `mapping` gives its name and what is known of it.
pub(crate) fn definition(
    definition: &EventDefinition,
    mapping: Option<&Mapping>,
    known: &KnownNames,
) -> v1::EventDefinition {
    let name = definition.name.as_str();
    let mapped = mapped_stage(mapping, name);
    let suggested = known.suggestions.get(&definition.name);
    let reason = match suggested {
        Some(suggestion) => Some(suggestion.reason.clone()),
        None => mapping.and_then(|mapping| mapped_reason(mapping, name)),
    };
    v1::EventDefinition {
        event: name.to_owned(),
        kind: kind(&definition.name).into(),
        order_like: is_order_like(name),
        stage: mapped.map_or(v1::FunnelStage::Unspecified, stage).into(),
        suggested_stage: suggested
            .map_or(v1::FunnelStage::Unspecified, |it| stage(it.stage))
            .into(),
        create_time: definition.created_at.map(timestamp),
        last_seen_time: definition.last_seen_at.map(timestamp),
        stage_reason: reason.unwrap_or_default(),
        recent_event_count: known.recent.get(&definition.name).copied().unwrap_or(0),
        suggestion_evidence: known.evidence.get(&definition.name).map(evidence),
    }
}

fn evidence(evidence: &OrderEvidence) -> v1::SuggestionEvidence {
    let number = |events: u64| u32::try_from(events).unwrap_or(u32::MAX);
    v1::SuggestionEvidence {
        judged_events: number(evidence.judged),
        in_order_events: number(evidence.in_order),
    }
}

/// PostHog reserves names that begin with `$` for its own events.
fn kind(name: &EventName) -> Kind {
    if name.is_autocapture() {
        Kind::Autocapture
    } else if name.as_str().starts_with('$') {
        Kind::Posthog
    } else {
        Kind::Custom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_event_it_is() {
        assert_eq!(kind(&"$autocapture".into()), Kind::Autocapture);
        assert_eq!(kind(&"$rageclick".into()), Kind::Autocapture);
        assert_eq!(kind(&"$pageview".into()), Kind::Posthog);
        assert_eq!(kind(&"Product Added".into()), Kind::Custom);
    }
}
