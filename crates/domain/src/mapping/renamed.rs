//! Notices that a stage's event may have been renamed: it is no longer sent, and another one is.

use std::collections::BTreeMap;

use super::{Mapping, StageSource, Suggestion};
use crate::event::EventName;
use crate::stage::PostHogStage;

/// Days, today among them, without an event of a stage.
pub const SILENT_DAYS: i32 = 7;
/// A candidate with so many events on those days is no accident.
pub const MANY_EVENTS: u64 = 10;

/// Whether no event of `stage` came on the days whose events `in_stage` has, though PostHog should
/// feed it: of a stage that Shopify feeds nothing is expected.
pub fn is_silent(
    mapping: &Mapping,
    stage: PostHogStage,
    in_stage: &BTreeMap<PostHogStage, u64>,
) -> bool {
    mapping
        .stage(stage)
        .is_some_and(|mapped| mapped.source != StageSource::Shopify)
        && in_stage.get(&stage).is_none_or(|events| *events == 0)
}

/// As [`super::renamed_since`]; `suggestions` are of the events of these days alone.
pub(super) fn renamed(
    mapping: &Mapping,
    suggestions: &[Suggestion],
    in_stage: &BTreeMap<PostHogStage, u64>,
) -> BTreeMap<PostHogStage, EventName> {
    let mut found: BTreeMap<PostHogStage, (u64, &EventName)> = BTreeMap::new();
    let many = suggestions
        .iter()
        .filter(|it| it.events >= MANY_EVENTS && is_silent(mapping, it.stage, in_stage));
    for suggestion in many {
        let events = suggestion.events;
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
    use crate::mapping::resolve::suggest;
    use crate::mapping::{CheckoutSource, KnownEvent, MappingSpec, StageRule, StageSpec, resolve};

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
        in_stage: &[(PostHogStage, u64)],
        week: &[(&str, u64)],
        product_pageviews: u64,
    ) -> Vec<(PostHogStage, String)> {
        let suggestions = suggest(mapping, &known(week), product_pageviews);
        let in_stage = in_stage.iter().copied().collect();
        renamed(mapping, &suggestions, &in_stage)
            .into_iter()
            .map(|(stage, name)| (stage, name.to_string()))
            .collect()
    }

    #[test]
    fn a_silent_stage_is_renamed_to_the_most_frequent_candidate_that_has_many_events() {
        let mapping = resolve(&MappingSpec::default(), &[], false).mapping;
        let week = [
            ("Product Added", 50),
            ("add_to_cart", 90),
            ("begin_checkout", 9),
        ];
        let cart = PostHogStage::AddedToCart;
        for silent in [&[][..], &[(cart, 0)]] {
            assert_eq!(
                found(&mapping, silent, &week, 0),
                [(cart, "add_to_cart".to_owned())]
            );
        }
        assert!(found(&mapping, &[(cart, 1)], &week, 0).is_empty());
        assert!(found(&mapping, &[], &[("add_to_cart", 9)], 0).is_empty());
    }

    #[test]
    fn pageviews_take_a_silent_product_viewed_s_place_by_those_of_product_pages() {
        let viewed = PostHogStage::ProductViewed;
        let written = StageSpec {
            stage: viewed,
            rules: vec![StageRule {
                name: EventName::from("Product Viewed"),
                url_path: None,
            }],
        };
        let spec = MappingSpec::new(vec![written], CheckoutSource::Auto).unwrap();
        let mapping = resolve(&spec, &[], true).mapping;
        let week = [("$pageview", 5_000), ("view_item", 20)];
        let named = |name: &str| [(viewed, name.to_owned())];
        assert_eq!(found(&mapping, &[], &week, 21), named("$pageview"));
        assert_eq!(found(&mapping, &[], &week, 19), named("view_item"));
        assert!(found(&mapping, &[], &week[..1], 9).is_empty());
        assert!(found(&mapping, &[(viewed, 1)], &week, 21).is_empty());
    }

    #[test]
    fn a_stage_that_shopify_feeds_is_never_renamed() {
        let spec = MappingSpec::new(Vec::new(), CheckoutSource::Shopify).unwrap();
        let mapping = resolve(&spec, &[], false).mapping;
        let many = [("begin_checkout", 500)];
        assert!(found(&mapping, &[], &many, 0).is_empty());
    }
}
