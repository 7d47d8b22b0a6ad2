//! Columns of events whose form is the same in every store: stages and identity properties.

use std::collections::{BTreeMap, BTreeSet};

use domain::Event;
use domain::event::without_nul;
use domain::identity::{IdProperty, IdPropertyKind};
use domain::merge::StoredRow;
use domain::stage::PostHogStage;
use domain::storage::Result;

use crate::failures::corrupt;
use crate::values::{from_json, to_json};

/// The stage of that stored number.
pub(crate) fn stage(number: Option<i16>) -> Result<Option<PostHogStage>> {
    number
        .map(|number| {
            PostHogStage::from_number(number)
                .ok_or_else(|| corrupt(format!("there is no stage {number}")))
        })
        .transpose()
}

/// Reads what [`properties_to_json`] wrote.
pub(crate) fn properties_from_json(text: Option<&str>) -> Result<BTreeMap<String, String>> {
    text.map_or_else(|| Ok(BTreeMap::new()), from_json)
}

/// Identity properties as JSON text; absent when there are none.
pub(crate) fn properties_to_json(properties: &BTreeMap<String, String>) -> Result<Option<String>> {
    if properties.is_empty() {
        return Ok(None);
    }
    to_json(properties).map(Some)
}

/// Every property that occurs: facts are stored whatever a property is configured to name, and
/// the kind given here is not looked at.
pub(crate) fn properties_of(stored: &[StoredRow], events: &[Event]) -> Vec<IdProperty> {
    let stored = stored.iter().map(|row| &row.id_properties);
    let sent = events.iter().map(|event| &event.id_properties);
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for properties in stored.chain(sent) {
        names.extend(properties.keys().map(String::as_str));
    }
    // As `merge` spells them.
    let names = names.into_iter().map(without_nul);
    names.map(|name| any_kind(&name)).collect()
}

/// A property as facts are stored: of no particular kind.
pub(crate) fn any_kind(name: &str) -> IdProperty {
    IdProperty {
        kind: IdPropertyKind::Customer,
        property: name.to_owned(),
    }
}
