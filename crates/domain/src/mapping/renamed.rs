//! Notices that a stage's event may have been renamed: it is no longer sent, and another one is.

use std::collections::BTreeMap;

use super::{Mapping, StageSource, Suggestion};
use crate::event::EventName;
use crate::stage::PostHogStage;

/// Days, today among them, without an event of a stage.
pub const SILENT_DAYS: i32 = 7;
/// A candidate with so many events on those days is no accident.
pub const MANY_EVENTS: u64 = 10;

/// The stages of which no event came on the last [`SILENT_DAYS`] days while a suggested name had at
/// least [`MANY_EVENTS`], each with the most frequent such name. `in_stage` and `by_name` are the
/// events of these days. Of a stage that Shopify feeds nothing is expected.
pub fn renamed(
    mapping: &Mapping,
    suggestions: &[Suggestion],
    in_stage: &BTreeMap<PostHogStage, u64>,
    by_name: &BTreeMap<EventName, u64>,
) -> BTreeMap<PostHogStage, EventName> {
    let silent = |stage: PostHogStage| {
        mapping
            .stage(stage)
            .is_some_and(|mapped| mapped.source != StageSource::Shopify)
            && in_stage.get(&stage).is_none_or(|events| *events == 0)
    };
    let mut found: BTreeMap<PostHogStage, (u64, &EventName)> = BTreeMap::new();
    for suggestion in suggestions.iter().filter(|it| silent(it.stage)) {
        let events = by_name.get(&suggestion.name).copied().unwrap_or(0);
        if events < MANY_EVENTS {
            continue;
        }
        let most = found
            .entry(suggestion.stage)
            .or_insert((events, &suggestion.name));
        if events > most.0 {
            *most = (events, &suggestion.name);
        }
    }
    found
        .into_iter()
        .map(|(stage, (_, name))| (stage, name.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{CheckoutSource, KnownEvent, MappingSpec, resolve, suggest};

    fn known(events: &[(&str, u64)]) -> Vec<KnownEvent> {
        events
            .iter()
            .map(|(name, events)| KnownEvent {
                name: EventName::from(*name),
                events: *events,
            })
            .collect()
    }

    fn found(
        mapping: &Mapping,
        month: &[(&str, u64)],
        in_stage: &[(PostHogStage, u64)],
        week: &[(&str, u64)],
    ) -> Vec<(PostHogStage, String)> {
        let by_name = week
            .iter()
            .map(|(name, events)| (EventName::from(*name), *events))
            .collect();
        let suggestions = suggest(mapping, &known(month), false);
        renamed(
            mapping,
            &suggestions,
            &in_stage.iter().copied().collect(),
            &by_name,
        )
        .into_iter()
        .map(|(stage, name)| (stage, name.to_string()))
        .collect()
    }

    #[test]
    fn a_silent_stage_is_renamed_to_the_most_frequent_candidate_that_has_many_events() {
        let mapping = resolve(&MappingSpec::default(), &[], false).mapping;
        let month = [
            ("Product Added", 50),
            ("add_to_cart", 90),
            ("begin_checkout", 9),
        ];
        let cart = PostHogStage::AddedToCart;
        assert_eq!(
            found(&mapping, &month, &[(cart, 0)], &month),
            [(cart, "add_to_cart".to_owned())]
        );
        // The week decides, not the month.
        let week = [("Product Added", 50), ("add_to_cart", 9)];
        assert_eq!(
            found(&mapping, &month, &[], &week),
            [(cart, "Product Added".to_owned())]
        );
        assert!(found(&mapping, &month, &[(cart, 1)], &month).is_empty());
        assert!(found(&mapping, &month, &[], &[("add_to_cart", 9)]).is_empty());
    }

    #[test]
    fn a_stage_that_shopify_feeds_is_never_renamed() {
        let spec = MappingSpec::new(Vec::new(), CheckoutSource::Shopify).unwrap();
        let mapping = resolve(&spec, &[], false).mapping;
        let many = [("begin_checkout", 500)];
        assert!(found(&mapping, &many, &[], &many).is_empty());
    }
}
