//! The properties that carry ids of the shop.

use std::collections::BTreeMap;

use domain::identity::{IdProperty, IdPropertyKind};

use super::Problems;
use crate::identity::Identity;
use crate::quoted::quoted;

/// The most properties of one kind: each is a column of every query.
const MOST: usize = 16;
/// The most characters of a property's name.
const LONGEST: usize = 200;

pub(super) fn id_properties(problems: &mut Problems, written: &Identity) -> Vec<IdProperty> {
    let mut seen = BTreeMap::new();
    let mut properties = Vec::new();
    for (kind, field, names) in [
        (
            IdPropertyKind::Customer,
            "spec.identity.customerIdProperties",
            &written.customer_id_properties,
        ),
        (
            IdPropertyKind::Anonymous,
            "spec.identity.anonymousIdProperties",
            &written.anonymous_id_properties,
        ),
    ] {
        if names.len() > MOST {
            let count = names.len();
            problems.add(
                field,
                format_args!("has {count} entries: write {MOST} or fewer"),
            );
        }
        for (index, name) in names.iter().enumerate() {
            let path = format!("{field}[{index}]");
            let length = name.chars().count();
            if !(1..=LONGEST).contains(&length) {
                problems.add(
                    path,
                    format_args!("is a name of {length} characters: write a property's name of 1 to {LONGEST}"),
                );
            } else if let Some(control) = name.chars().find(|c| c.is_control()) {
                let (shown, control) = (quoted(name), control.escape_default());
                problems.add(
                    path,
                    format_args!("{shown} holds the control character {control}: write the property's name without it"),
                );
            } else if let Some(first) = seen.get(name.as_str()) {
                let shown = quoted(name);
                problems.add(
                    path,
                    format_args!("{shown} is already in {first}: remove one of them"),
                );
            } else {
                seen.insert(name.as_str(), field);
                properties.push(IdProperty {
                    kind,
                    property: name.clone(),
                });
            }
        }
    }
    properties
}
