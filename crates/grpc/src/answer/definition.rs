//! Event definitions.

use domain::EventName;
use domain::Mapping;
use domain::recogniser::{Meaning, is_order_like, recognise};
use domain::storage::EventDefinition;

use super::stage::{mapped_stage, stage};
use super::time::timestamp;
use crate::proto::v1;
use crate::proto::v1::event_definition::Kind;

/// A definition, with the stage that `mapping` gives its name.
pub(crate) fn definition(
    definition: &EventDefinition,
    mapping: Option<&Mapping>,
) -> v1::EventDefinition {
    let name = definition.name.as_str();
    let mapped = mapped_stage(mapping, name);
    let suggested = match mapped {
        Some(_) => None,
        None => recognise(name).and_then(Meaning::stage),
    };
    v1::EventDefinition {
        event: name.to_owned(),
        kind: kind(&definition.name).into(),
        order_like: is_order_like(name),
        stage: mapped.map_or(v1::FunnelStage::Unspecified, stage).into(),
        suggested_stage: suggested.map_or(v1::FunnelStage::Unspecified, stage).into(),
        create_time: definition.created_at.map(timestamp),
        last_seen_time: definition.last_seen_at.map(timestamp),
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
