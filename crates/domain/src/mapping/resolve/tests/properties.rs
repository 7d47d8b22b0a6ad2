//! What holds of any spec and any project.

use proptest::prelude::*;

use super::*;
use crate::recogniser::is_order_like;

fn any_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "$pageview",
            "Product Viewed",
            "view_item",
            "product added to cart",
            "Product Added",
            "add_to_cart",
            "checkout started",
            "begin_checkout",
            "Order Completed",
            "purchase",
            "newsletter",
        ][..],
    )
}

proptest! {
    #[test]
    fn every_stage_is_there_no_name_is_twice_and_no_order_is_mapped(
        names in prop::collection::vec((any_name(), 0_u64..3), 0..12),
        written in prop::collection::btree_map(any_name(), 0_usize..3, 0..4),
        pageviews: bool,
        source in prop::sample::select(&[AUTO, CheckoutSource::PostHog, CheckoutSource::Shopify][..]),
    ) {
        let mut stages: Vec<StageSpec> = PostHogStage::ALL
            .into_iter()
            .map(|stage| StageSpec { stage, rules: Vec::new() })
            .collect();
        for (name, stage) in written.into_iter().filter(|(name, _)| !is_order_like(name)) {
            stages[stage].rules.push(rule(name));
        }
        stages.retain(|stage| !stage.rules.is_empty());
        let spec = MappingSpec::new(stages.clone(), source).unwrap();
        let resolution = resolve(&spec, &known(&names), pageviews);
        let mapping = &resolution.mapping;

        prop_assert_eq!(mapping.stages.iter().map(|s| s.stage).collect::<Vec<_>>(), PostHogStage::ALL);
        let mut all: Vec<&EventName> = mapping.names().collect();
        prop_assert!(!all.iter().any(|name| is_order_like(name.as_str())));
        let count = all.len();
        all.sort();
        all.dedup();
        prop_assert_eq!(all.len(), count);
        for stage in &mapping.stages {
            let written = stages.iter().find(|other| other.stage == stage.stage);
            match stage.source {
                StageSource::Override => prop_assert_eq!(&stage.rules, &written.unwrap().rules),
                StageSource::Default => prop_assert!(written.is_none()),
                StageSource::Shopify => prop_assert!(stage.rules.is_empty()),
            }
        }
        for suggestion in suggest(mapping, &known(&names), u64::from(pageviews)) {
            prop_assert!(!all.contains(&&suggestion.name));
        }
    }
}
